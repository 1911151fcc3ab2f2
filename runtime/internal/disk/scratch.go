// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ScratchName is a scratch disk's name in its directory. It is known to
// hypernetes/tests/isolation.
const ScratchName = "hypernetes.ext4"

// WithOverhead is the size of a disk on which more than usable bytes can be written:
// the kubelet evicts a pod that has exceeded its limit, not one that has reached it.
// ext4's own metadata (inode tables are 1/64 of a disk) is added.
func WithOverhead(usable int64) int64 {
	const align = 1 << 20
	usable = min(usable, 1<<50) // beyond what ext4 holds; and the sum is still a number
	size := usable + usable/32 + 16<<20
	return (size + align - 1) / align * align
}

// NewScratch creates a scratch disk in a directory of the host, and returns its path: a
// sparse ext4 file of size bytes. One that is there, of an earlier machine, is replaced.
//
// The blocks that the file occupies are what containerd or the kubelet measures as the
// pod's use, so that an empty file system is to have few: it has no journal, since the
// disk never outlives its machine, and no room for growth.
func NewScratch(ctx context.Context, dir string, size int64) (string, error) {
	path := filepath.Join(dir, ScratchName)
	if err := unix.Unlink(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("replace scratch disk %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", fmt.Errorf("create a scratch disk: %w", err)
	}
	if err := errors.Join(format(ctx, file, size), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

func format(ctx context.Context, file *os.File, size int64) error {
	if err := file.Truncate(size); err != nil {
		return fmt.Errorf("size the scratch disk: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode",
		"-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", file.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the scratch disk: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
