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
	memoryID = "ram"
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
	arguments := []string{"-object", fmt.Sprintf("memory-backend-file,id=%s,size=%dM,mem-path=/proc/self/fd/%d,share=%s",
		memoryID, spec.Memory>>20, fd, onOff(spec.Backing.Shared))}
	if spec.Incoming != nil {
		arguments = append(arguments, "-incoming", "defer")
	}
	return arguments
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
	for _, disk := range disks {
		if err := m.AttachDisk(ctx, disk); err != nil {
			return err
		}
	}
	return nil
}
