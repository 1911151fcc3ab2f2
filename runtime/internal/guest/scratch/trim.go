// SPDX-License-Identifier: Apache-2.0

package scratch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// trimPeriod is how long the host keeps what was deleted, and counts it as the
	// pod's use. The kubelet looks every 10 s.
	trimPeriod = 10 * time.Second
	// trimLeast, in bytes: a request to the host for each smaller hole costs more time
	// than it saves space. For the same reason disks are not mounted with "discard",
	// which without a journal is one request for each file that is deleted.
	trimLeast = 64 << 10
	trimStep  = 1 << 30
)

// Trim returns to the host what containers have deleted, until ctx ends.
func (d *Disks) Trim(ctx context.Context) {
	ticker := time.NewTicker(trimPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			d.trimOnce()
		case <-ctx.Done():
			return
		}
	}
}

// trimOnce trims the disks that were written to since they were trimmed; a deletion
// is a write, too.
func (d *Disks) trimOnce() {
	d.mu.Lock()
	disks := maps.Clone(d.mounted)
	d.mu.Unlock()
	for target, disk := range disks {
		writes, err := writesOf("/sys", disk.name)
		if err != nil || writes == disk.writes {
			continue // a broken disk is an error of the process that writes to it
		}
		if d.trim(target, disk) == nil {
			disk.writes = writes
		}
	}
}

// trim discards the free space of one disk, in steps: during each, no disk is mounted
// or unmounted.
func (d *Disks) trim(target string, disk *mounted) error {
	for start := uint64(0); ; start += trimStep {
		d.mu.Lock()
		err := unix.ENOENT
		if d.mounted[target] == disk {
			err = discard(target, start)
		}
		d.mu.Unlock()
		switch err {
		case 0:
		case unix.EINVAL: // start is beyond the end
			return nil
		default:
			return err
		}
	}
}

func deviceName(device string) string { return filepath.Base(device) }

// writesOf returns the number of writes that a disk has completed (the kernel's
// Documentation/block/stat.rst).
func writesOf(sys, name string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(sys, "class/block", name, "stat"))
	if err != nil {
		return 0, err
	}
	const column = 4
	fields := strings.Fields(string(text))
	if len(fields) <= column {
		return 0, fmt.Errorf("the statistics of disk %s have %d columns", name, len(fields))
	}
	return strconv.ParseUint(fields[column], 10, 64)
}

// fitrim is FITRIM of linux/fs.h.
const fitrim = 0xc0185879

// discard has the kernel discard the free space of one step of a file system. It skips
// what it has discarded before.
func discard(target string, start uint64) unix.Errno {
	fd, err := unix.Open(target, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unix.ENOENT
	}
	defer unix.Close(fd)
	span := struct{ start, length, least uint64 }{start, trimStep, trimLeast}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), fitrim, uintptr(unsafe.Pointer(&span)))
	return errno
}
