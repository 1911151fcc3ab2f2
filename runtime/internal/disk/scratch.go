// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// NewScratch makes a machine's writable disk: a sparse, nameless ext4 file of
// size bytes in dir. Having no name, it disappears with its last open
// descriptor: however shim and emulator end, nothing is left behind.
//
// The file system has no journal: the disk never outlives its machine.
func NewScratch(ctx context.Context, dir string, size int64) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the scratch directory: %w", err)
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a nameless file in %s: %w", dir, err)
	}
	file := os.NewFile(uintptr(fd), "scratch")
	if err := format(ctx, file, size); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func format(ctx context.Context, file *os.File, size int64) error {
	if err := file.Truncate(size); err != nil {
		return fmt.Errorf("size the scratch disk: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal",
		"-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{file}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the scratch disk: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
