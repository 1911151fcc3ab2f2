// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ScratchPath is where a machine's scratch disk has its name while it starts.
func ScratchPath(dir, id string) string { return filepath.Join(dir, id+".ext4") }

// WithOverhead is the size of a disk on which usable bytes can be written: ext4's own
// metadata (inode tables are 1/64 of a disk) is added.
func WithOverhead(usable int64) int64 {
	const align = 1 << 20
	usable = min(usable, 1<<50) // beyond what ext4 holds; and the sum is still a number
	size := usable + usable/32 + 16<<20
	return (size + align - 1) / align * align
}

// NewScratch creates a machine's writable disk at path: a sparse ext4 file of
// size bytes. Remove its name once the machine has opened it: from then on the
// disk disappears with the machine, however that terminates.
//
// The file system has no journal: the disk never outlives its machine.
func NewScratch(ctx context.Context, path string, size int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the scratch directory: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create the scratch disk: %w", err)
	}
	return errors.Join(format(ctx, file, size), file.Close())
}

func format(ctx context.Context, file *os.File, size int64) error {
	if err := file.Truncate(size); err != nil {
		return fmt.Errorf("size the scratch disk: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal",
		"-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", file.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the scratch disk: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
