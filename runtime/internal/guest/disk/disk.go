// SPDX-License-Identifier: Apache-2.0

// Package disk finds the machine's disks, SCSI or virtio-blk, by the serial the host
// gave them.
// Names like sda depend on the order of plugging and are reused for other disks;
// serials are the contract.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// How long a disk that was just plugged may take to announce itself, and how
// often its bus is asked after that. virtio-scsi has 8 buffers for such events
// and drops what does not fit (virtio 1.2, 5.6.6.3): an image with more layers
// loses some. The kernel would then scan for them, but is configured not to (see
// boot.LoadModules).
const (
	announceTime = 20 * time.Millisecond
	scanInterval = 100 * time.Millisecond
	pollInterval = 2 * time.Millisecond
)

// bus is what is known of the machine's disks.
type bus struct {
	kernel kernel

	mu    sync.Mutex
	known map[string]string // serial -> entry of /sys/block: a hint, verified at every use
	taken map[string]string // the same for the disks that are in use
}

func newBus(kernel kernel) *bus {
	return &bus{kernel: kernel, known: map[string]string{}, taken: map[string]string{}}
}

var machine = newBus(sysfs{root: "/sys", dev: "/dev"})

// Scan finds the disks that were there from the start, which the host puts at
// target 0 (runtime/internal/vmm/qemu). Nothing else is scanned at boot.
func Scan() error { return machine.kernel.scan() }

// Find waits for the disk with this serial and returns its device node. The
// timeout is for the host's hot-plug to arrive, which takes some 40 ms.
func Find(serial string, timeout time.Duration) (string, error) { return machine.find(serial, timeout) }

// Release makes the kernel forget a disk that is no longer used, before the
// host unplugs it: that event may be lost, and a stale disk would show its old serial
// for the content of the next disk at its address.
func Release(serial string) error { return machine.release(serial) }

func (b *bus) find(serial string, timeout time.Duration) (string, error) {
	begin := time.Now()
	scan := begin.Add(announceTime)
	for ; ; time.Sleep(pollInterval) {
		name, found, err := b.look(serial)
		if found && err == nil {
			return b.kernel.node(name), nil
		}
		now := time.Now()
		if now.Sub(begin) > timeout {
			if err != nil {
				return "", fmt.Errorf("disk %q: %w", serial, err)
			}
			return "", fmt.Errorf("no disk with serial %q was plugged within %s", serial, timeout)
		}
		if now.Before(scan) {
			continue
		}
		if err := b.ask(); err != nil {
			return "", err
		}
		scan = time.Now().Add(scanInterval)
	}
}

// look examines the disks the kernel shows. What a name stood for before is not
// trusted: the serial is read again, finally from the disk itself.
func (b *bus) look(serial string) (name string, found bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, found = b.known[serial]
	if !found || b.kernel.shown(name) != serial {
		if err := b.learn(); err != nil {
			return "", false, err
		}
		if name, found = b.known[serial]; !found {
			return "", false, nil
		}
	}
	// A serial shows in /sys a moment before the disk can be opened.
	actual, err := b.kernel.ask(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, true, err
	}
	if err != nil || actual != serial {
		// Unplugged without the kernel having noticed.
		delete(b.known, serial)
		delete(b.taken, serial)
		return "", false, errors.Join(err, b.kernel.remove(name))
	}
	b.taken[serial] = name
	return name, true, nil
}

// learn reads every disk's serial again, except those in use, whose names cannot
// be reused for another disk.
func (b *bus) learn() error {
	b.known = map[string]string{}
	inUse := map[string]bool{}
	for serial, name := range b.taken {
		b.known[serial] = name
		inUse[name] = true
	}
	names, err := b.kernel.names()
	if err != nil {
		return fmt.Errorf("scan for disks: %w", err)
	}
	for _, name := range names {
		if inUse[name] {
			continue
		}
		if serial := b.kernel.shown(name); serial != "" {
			b.known[serial] = name
		}
	}
	return nil
}

// ask makes the kernel detect what is plugged by now. A disk whose unplugging was
// missed is removed first: as long as the kernel has it, it does not probe its
// address for another one.
func (b *bus) ask() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.learn(); err != nil {
		return err
	}
	for serial, name := range b.known {
		if _, inUse := b.taken[serial]; inUse {
			continue
		}
		actual, err := b.kernel.ask(name)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && actual == serial) {
			continue
		}
		if err := b.kernel.remove(name); err != nil {
			return err
		}
	}
	return b.kernel.scan()
}

func (b *bus) release(serial string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, ok := b.taken[serial]
	if !ok {
		return nil
	}
	delete(b.taken, serial)
	delete(b.known, serial)
	return b.kernel.remove(name)
}
