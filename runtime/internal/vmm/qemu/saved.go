// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"hypernetes.org/runtime/internal/vmm"
)

// A machine is saved and continued with QEMU's migration to and from a file
// (qapi/migration.json). Memory that is a shared mapping of a file stays where it
// is (x-ignore-shared), so that the state is some 200 KiB.

const (
	memoryID     = "ram"
	moreMemoryID = "more"
	pluggedID    = "plugged"
	memoryPause  = 5 * time.Millisecond // no event comes in time: QEMU limits their rate to one a second
	// stateName is the name under which QEMU keeps the state's descriptor. It cannot be given
	// a program to run: the seccomp filter forbids that.
	stateName = "state"
	savePause = 2 * time.Millisecond
)

// backingArguments returns the arguments for memory from a file.
func backingArguments(spec vmm.Spec, fd int) []string {
	if spec.Backing == nil {
		return nil
	}
	// A template's file gets all of its pages at once. The kernel would else give it one
	// for each that a clone writes, beside the clone's own, and charge the clone for both.
	arguments := []string{"-object", fmt.Sprintf("memory-backend-file,id=%s,size=%dM,mem-path=/proc/self/fd/%d,share=%s,prealloc=%s",
		memoryID, spec.Backing.Size>>20, fd, onOff(spec.Backing.Shared), onOff(spec.Backing.Shared))}
	if spec.Backing.Room > 0 {
		arguments = append(arguments,
			// The kubelet has the kernel reserve nothing (vm.overcommit_memory). "reserve=off" would
			// look that up, where the jail has no such file.
			"-object", fmt.Sprintf("memory-backend-ram,id=%s,size=%dM", moreMemoryID, spec.Backing.Room>>20),
			"-device", fmt.Sprintf("virtio-mem-pci,id=%s,memdev=%s,block-size=2M,requested-size=0", pluggedID, moreMemoryID))
	}
	if spec.Incoming != nil {
		arguments = append(arguments, "-incoming", "defer")
	}
	return arguments
}

// memoryArgument is the value of -m.
func memoryArgument(spec vmm.Spec) string {
	if spec.Backing == nil {
		return fmt.Sprintf("%dM", spec.Memory>>20)
	}
	if spec.Backing.Room == 0 {
		return fmt.Sprintf("%dM", spec.Backing.Size>>20)
	}
	return fmt.Sprintf("%dM,maxmem=%dM", spec.Backing.Size>>20, (spec.Backing.Size+spec.Backing.Room)>>20)
}

// missing is how much memory a machine lacks at its start, in whole blocks.
func missing(spec vmm.Spec) int64 {
	if spec.Backing == nil {
		return 0
	}
	return (max(0, spec.Memory-spec.Backing.Size) + vmm.MemoryBlock - 1) / vmm.MemoryBlock * vmm.MemoryBlock
}

// property names one of the device that plugs memory.
func property(name string) map[string]any {
	return map[string]any{"path": "/machine/peripheral/" + pluggedID, "property": name}
}

// plugMemory has the guest take more memory, which it does by and by.
func (m *machine) plugMemory(ctx context.Context) error {
	if m.plugged == 0 {
		return nil
	}
	arguments := property("requested-size")
	arguments["value"] = m.plugged
	return m.monitor.execute(ctx, "qom-set", arguments, nil)
}

// WaitMemory implements vmm.Growing.
func (m *machine) WaitMemory(ctx context.Context) error {
	for m.plugged > 0 {
		answer, err := m.monitor.query(ctx, "qom-get", property("size"), nil)
		if err != nil {
			return fmt.Errorf("look at the machine's memory: %w", err)
		}
		var size int64
		if err := json.Unmarshal(answer, &size); err != nil {
			return fmt.Errorf("look at the machine's memory: %w", err)
		}
		if size == m.plugged {
			return nil
		}
		select {
		case <-time.After(memoryPause):
		case <-m.done:
			return vmm.ErrGone
		case <-ctx.Done():
			return fmt.Errorf("the guest has taken %d of %d bytes of memory: %w", size, m.plugged, ctx.Err())
		}
	}
	return nil
}

func (m *machine) ignoreShared(ctx context.Context) error {
	return m.monitor.execute(ctx, "migrate-set-capabilities", map[string]any{
		"capabilities": []any{map[string]any{"capability": "x-ignore-shared", "state": true}},
	}, nil)
}

// Save implements vmm.Saver. The guest runs until its state is taken, so that a
// clone runs too: QEMU writes whether it did.
func (m *machine) Save(ctx context.Context, state *os.File) error {
	if err := m.save(ctx, state); err != nil {
		return fmt.Errorf("save a machine: %w", err)
	}
	return nil
}

func (m *machine) save(ctx context.Context, state *os.File) error {
	if err := m.ignoreShared(ctx); err != nil {
		return err
	}
	if err := m.monitor.execute(ctx, "getfd", map[string]any{"fdname": stateName}, state); err != nil {
		return err
	}
	if err := m.monitor.execute(ctx, "migrate", map[string]any{"uri": "fd:" + stateName}, nil); err != nil {
		return err
	}
	for {
		answer, err := m.monitor.query(ctx, "query-migrate", nil, nil)
		if err != nil {
			return err
		}
		var progress struct {
			Status string `json:"status"`
			Reason string `json:"error-desc"`
		}
		if err := json.Unmarshal(answer, &progress); err != nil {
			return fmt.Errorf("read QEMU's progress: %w", err)
		}
		switch progress.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("QEMU: %s: %s", progress.Status, progress.Reason)
		}
		select {
		case <-time.After(savePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// restore loads the state into a machine that waits for it, and returns when its
// processors run and the disks are plugged.
func (m *machine) restore(ctx context.Context, state *os.File, disks []vmm.Disk) error {
	if err := m.ignoreShared(ctx); err != nil {
		return err
	}
	// Announcements would be sent with the template's address.
	if err := m.monitor.execute(ctx, "migrate-set-parameters", map[string]any{"announce-rounds": 0}, nil); err != nil {
		return err
	}
	if err := m.monitor.execute(ctx, "getfd", map[string]any{"fdname": stateName}, state); err != nil {
		return err
	}
	if err := m.monitor.execute(ctx, "migrate-incoming", map[string]any{"uri": "fd:" + stateName}, nil); err != nil {
		return err
	}
	select {
	case <-m.monitor.resumed:
	case <-m.done: // how QEMU reports a state that does not fit
		return vmm.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := m.plugMemory(ctx); err != nil {
		return err
	}
	for _, disk := range disks {
		if err := m.AttachDisk(ctx, disk); err != nil {
			return err
		}
	}
	return nil
}
