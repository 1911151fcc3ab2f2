// SPDX-License-Identifier: Apache-2.0

// Package scratch mounts the pod's writable disks: one for each container's writable
// layer and one for each emptyDir.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/guest/disk"
)

// timeout bounds the wait for a hot-plugged disk.
const timeout = 10 * time.Second

// mountOptions: nothing on the disk outlives the machine, so that barriers would only
// cost time. The host made the file, so that inode tables are zero, and writing zeros
// there would count as the pod's use (noinit_itable; ext4(5)).
const mountOptions = "nobarrier,noauto_da_alloc,noinit_itable"

// Disks are the scratch disks that are mounted.
type Disks struct {
	mu      sync.Mutex
	mounted map[string]*mounted // by where they are mounted
}

type mounted struct {
	serial string
	name   string // of the block device
	writes uint64 // that the device had taken when it was last trimmed
}

// New returns a set without disks.
func New() *Disks { return &Disks{mounted: map[string]*mounted{}} }

// Mount waits for a disk and mounts it at target, a directory that it creates.
func (d *Disks) Mount(serial, target string) error {
	device, err := disk.Find(serial, timeout)
	if err != nil {
		return fmt.Errorf("scratch disk: %w", err)
	}
	if err := os.Mkdir(target, 0o711); err != nil {
		return fmt.Errorf("scratch disk: %w", err)
	}
	if err := unix.Mount(device, target, "ext4", 0, mountOptions); err != nil {
		return errors.Join(fmt.Errorf("mount scratch disk %q: %w", serial, err), os.Remove(target), disk.Release(serial))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mounted[target] = &mounted{serial: serial, name: deviceName(device)}
	return nil
}

// Unmount lets the host unplug the disk that is mounted at target.
func (d *Disks) Unmount(target string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.mounted[target]
	if !ok {
		return nil
	}
	delete(d.mounted, target)
	// A mount that is still busy disappears with its last user.
	return errors.Join(unix.Unmount(target, unix.MNT_DETACH), os.Remove(target), disk.Release(found.serial))
}
