// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func owner(info fs.FileInfo) (uid, gid uint32, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return stat.Uid, stat.Gid, true
}

// MaxLog is how much of a termination log comes back, in bytes: what the
// kubelet reads at most (kubecontainer.MaxContainerTerminationMessageLength).
const MaxLog = 4096

// WriteLog writes a termination log that the guest returned. The kubelet has created
// the file at path before the container; it is never created here, nor followed if
// it is a link.
func WriteLog(path string, data []byte) error {
	if len(data) > MaxLog {
		data = data[len(data)-MaxLog:]
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open termination log %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	if _, err := file.Write(data); err != nil {
		_ = file.Close() // the first error is the one to report
		return fmt.Errorf("write termination log %s: %w", path, err)
	}
	return file.Close()
}
