// SPDX-License-Identifier: Apache-2.0

package vmstate

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// uidFile holds nothing: its bytes stand for the uids, and a lock on one for a
// uid in use. A lock ends with its holder, so none can leak.
const uidFile = ".uids"

// UID is an emulator's own user, held until Release.
type UID struct {
	Value uint32
	file  *os.File
}

// LeaseUID returns a UID that no other machine of the node has, of count from base.
func LeaseUID(vmDir, id string, base, count uint32) (*UID, error) {
	if err := os.MkdirAll(vmDir, 0o711); err != nil {
		return nil, fmt.Errorf("create the directory of machines: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(vmDir, uidFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the table of UIDs: %w", err)
	}
	hash := fnv.New32a()
	hash.Write([]byte(id)) // never fails: see hash.Hash
	first := hash.Sum32() % count
	for i := range count {
		index := (first + i) % count
		// Locks of the open file, not of the process: closing another
		// descriptor of the same file must not end them (F_SETLK would).
		lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: int64(index), Len: 1}
		switch err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock); {
		case err == nil:
			return &UID{Value: base + index, file: file}, nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES):
			return nil, errors.Join(fmt.Errorf("lock a UID: %w", err), file.Close())
		}
	}
	return nil, errors.Join(fmt.Errorf("all %d UIDs for emulators are in use", count), file.Close())
}

// Release releases the UID.
func (u *UID) Release() error { return u.file.Close() }
