// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"os"

	"golang.org/x/sys/unix"
)

// OpenLayer opens a layer file read-only. The emulator gets the descriptor, so
// it needs no right to containerd's directories.
func OpenLayer(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open layer %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("inspect layer %s: %w", path, err), file.Close())
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.Join(fmt.Errorf("layer %s is not a regular file with content", path), file.Close())
	}
	return file, nil
}

// Serial names a layer's disk inside the machine: stable for a path, and short
// enough for SCSI (20 bytes shown by sysfs).
func Serial(path string) string {
	hash := fnv.New64a()
	hash.Write([]byte(path)) // never fails: see hash.Hash
	return "l" + hex.EncodeToString(hash.Sum(nil))
}
