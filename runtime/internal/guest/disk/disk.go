// SPDX-License-Identifier: Apache-2.0

// Package disk finds the machine's SCSI disks by the serial the host gave them.
// Names like sda depend on the order of plugging; serials are the contract.
package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	classDir = "/sys/block"
	hostsDir = "/sys/class/scsi_host"
	// Channel 0, target 0, any unit: where the machine's first disks are.
	firstDisks = "0 0 -"
)

var (
	mu    sync.Mutex
	known = map[string]string{} // serial -> /sys/block entry, checked again before use
)

// Scan finds the disks that were there from the start, which the host puts at
// target 0 (runtime/internal/vmm/qemu). Nothing else is looked for at boot.
func Scan() error {
	files, err := filepath.Glob(filepath.Join(hostsDir, "host*", "scan"))
	if err != nil {
		return fmt.Errorf("looking for disks: %w", err)
	}
	if len(files) == 0 {
		return errors.New("the machine has no SCSI host")
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte(firstDisks), 0); err != nil {
			return fmt.Errorf("looking for disks: %w", err)
		}
	}
	return nil
}

// Find waits for the disk with this serial and returns its device node. The
// timeout is for the host's hot-plug to arrive, which takes some 40 ms.
func Find(serial string, timeout time.Duration) (string, error) {
	for deadline := time.Now().Add(timeout); ; time.Sleep(2 * time.Millisecond) {
		if name, found := look(serial); found {
			node := "/dev/" + name
			// A serial shows in /sys a moment before the disk can be opened.
			if err := openable(node); err == nil {
				return node, nil
			} else if time.Now().After(deadline) {
				return "", fmt.Errorf("disk %q: %w", serial, err)
			}
		} else if time.Now().After(deadline) {
			return "", fmt.Errorf("no disk with serial %q was plugged within %s", serial, timeout)
		}
	}
}

func look(serial string) (string, bool) {
	mu.Lock()
	defer mu.Unlock()
	if name, ok := known[serial]; ok {
		if read(name) == serial {
			return name, true
		}
		delete(known, serial)
	}
	seen := map[string]bool{}
	for _, name := range known {
		seen[name] = true
	}
	entries, err := os.ReadDir(classDir)
	if err != nil {
		return "", false
	}
	for _, entry := range entries {
		// Loop and RAM disks are there too and have no serial page.
		name := entry.Name()
		if seen[name] || len(name) < 3 || name[:2] != "sd" {
			continue
		}
		if found := read(name); found != "" {
			known[found] = name
		}
	}
	name, ok := known[serial]
	return name, ok
}

func read(name string) string {
	page, err := os.ReadFile(filepath.Join(classDir, name, "device/vpd_pg80"))
	if err != nil {
		return ""
	}
	return parseSerialPage(page)
}

// parseSerialPage reads SCSI's unit serial number page (SPC-4, 7.8.15): byte 1 is
// the page code 0x80, bytes 2 and 3 the length.
func parseSerialPage(page []byte) string {
	if len(page) < 4 || page[1] != 0x80 {
		return ""
	}
	length := int(page[2])<<8 | int(page[3])
	if length > len(page)-4 {
		return ""
	}
	return string(bytes.TrimRight(page[4:4+length], " \x00"))
}

func openable(node string) error {
	file, err := os.OpenFile(node, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Close())
}
