// SPDX-License-Identifier: Apache-2.0

// Package template makes machines that continue from the memory of a saved one
// instead of booting.
//
// A template is a guest that has booted, has no identity and no data of a tenant, and
// waits. Its memory is a sealed file: each clone's monitor maps it privately, and
// nobody can write it any more.
package template

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/vmm"
)

// A template's own memory, and what can be plugged into a clone, in bytes. Every clone starts
// with the former, so that one template serves machines of all sizes; what a template
// has in its memory and in its file is charged to its keeper.
const (
	BaseMemory = vmm.MinimumMemory
	Room       = 16 << 30
)

// Template is a saved machine.
type Template struct {
	Memory *os.File // sealed
	State  *os.File // sealed; positioned at its start
}

// Close releases this process's hold on the files. Clones keep theirs.
func (t *Template) Close() error { return errors.Join(t.Memory.Close(), t.State.Close()) }

// Make boots a machine to the point where its guest waits for an identity, and saves
// it. Of the specification it ignores memory and disks, and of the network card all but
// what the guest has negotiated with it.
func Make(ctx context.Context, driver vmm.Driver, spec vmm.Spec) (*Template, error) {
	made, err := makeTemplate(ctx, driver, spec)
	if err != nil {
		return nil, fmt.Errorf("make a template: %w", err)
	}
	return made, nil
}

func makeTemplate(ctx context.Context, driver vmm.Driver, spec vmm.Spec) (made *Template, err error) {
	t := &Template{}
	spec.Memory = BaseMemory
	defer func() {
		if err != nil {
			err = errors.Join(err, closeFile(t.Memory), closeFile(t.State))
		}
	}()
	if t.Memory, err = memoryFile("hypernetes-template", spec.Memory); err != nil {
		return nil, err
	}
	if t.State, err = memoryFile("hypernetes-state", 0); err != nil {
		return nil, err
	}
	if spec.NIC != nil {
		network, err := newNetwork()
		if err != nil {
			return nil, err
		}
		defer network.close()
		spec.NetnsPath = network.path
		spec.NIC = &vmm.NIC{Tap: network.tap, MAC: channel.TemplateMAC, MTU: spec.NIC.MTU, Offload: spec.NIC.Offload}
	}
	spec.Template, spec.Backing, spec.Disks = true, backing(t.Memory, true), nil
	if err := save(ctx, driver, spec, t.State); err != nil {
		return nil, err
	}
	for _, file := range []*os.File{t.Memory, t.State} {
		// Refused as long as anything has it mapped for writing.
		if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
			return nil, fmt.Errorf("seal it: %w", err)
		}
	}
	if _, err := t.State.Seek(0, 0); err != nil {
		return nil, err
	}
	return t, nil
}

func backing(memory *os.File, shared bool) *vmm.Backing {
	return &vmm.Backing{File: memory, Size: BaseMemory, Room: Room, Shared: shared}
}

// seals keep the files as they are, against any process of any user.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL

func closeFile(file *os.File) error {
	if file == nil {
		return nil
	}
	return file.Close()
}

// memoryFile creates a file that exists as long as a process has it open.
func memoryFile(name string, size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	if err := file.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("size a file in memory: %w", err), file.Close())
	}
	return file, nil
}

// save boots the machine and writes its state; it is gone when save returns.
func save(ctx context.Context, driver vmm.Driver, spec vmm.Spec, state *os.File) (err error) {
	machine, err := driver.Start(ctx, spec)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, machine.Kill())
		<-machine.Done()
		_ = machine.Channel().Close() // of a dead machine
	}()
	saver, ok := machine.(vmm.Saver)
	if !ok {
		return errors.New("the monitor cannot save machines")
	}
	if err := within(ctx, machine, func() error { return channel.ReadReady(machine.Channel()) }); err != nil {
		return err
	}
	return saver.Save(ctx, state)
}

// within runs what reads and writes a machine's channel, and ends with ctx.
func within(ctx context.Context, machine vmm.Machine, talk func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = machine.Channel().SetDeadline(time.Unix(1, 0)) })
	err := talk()
	if !stop() || ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// Clone starts a machine from a template, and returns it with its channel when its
// guest has answered and has its memory. The specification is the template's, but for
// memory, disks, network, users and cgroups. On an error nothing of the machine is left.
func Clone(ctx context.Context, driver vmm.Driver, spec vmm.Spec, from *Template) (_ vmm.Machine, _ *channel.Host, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("clone a template: %w", err)
		}
	}()
	spec.Template, spec.Backing, spec.Incoming = true, backing(from.Memory, false), from.State
	machine, err := driver.Start(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	host, err := fork(ctx, machine)
	if err != nil {
		err = errors.Join(err, machine.Kill())
		<-machine.Done()
		return nil, nil, errors.Join(err, machine.Channel().Close())
	}
	return machine, host, nil
}

func fork(ctx context.Context, machine vmm.Machine) (*channel.Host, error) {
	entropy := make([]byte, channel.EntropySize)
	if _, err := rand.Read(entropy); err != nil {
		return nil, fmt.Errorf("get entropy: %w", err)
	}
	if err := within(ctx, machine, func() error { return channel.WriteFork(machine.Channel(), entropy) }); err != nil {
		return nil, err
	}
	host, err := channel.Dial(ctx, machine.Channel())
	if err != nil {
		return nil, err
	}
	// Meanwhile the guest was given its memory.
	if growing, ok := machine.(vmm.Growing); ok {
		if err := growing.WaitMemory(ctx); err != nil {
			return nil, errors.Join(err, host.Close())
		}
	}
	return host, nil
}
