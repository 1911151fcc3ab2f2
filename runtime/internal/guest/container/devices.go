// SPDX-License-Identifier: Apache-2.0

package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const deviceDir = "/dev"

// What a privileged container does not get with the machine's devices: file systems that it
// has of its own, what is made for each container, and the channel to the host.
var (
	ownDirectories = []string{"pts", "shm", "mqueue"}
	ownDevices     = []string{"console", "ptmx", "tty"}
)

const channelPort = "vport"

// allDevices says whether a container is privileged: the host lets no other use all devices.
func allDevices(rules []specs.LinuxDeviceCgroup) bool {
	return slices.ContainsFunc(rules, func(rule specs.LinuxDeviceCgroup) bool { return rule.Allow && rule.Major == nil })
}

// devices lists the devices below dir, as they are now.
func devices(dir string) ([]specs.LinuxDevice, error) {
	var found []specs.LinuxDevice
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name != dir {
			return nil // unplugged meanwhile, with another container
		}
		if err != nil {
			return err
		}
		within := strings.TrimPrefix(name, dir+"/")
		switch {
		case entry.IsDir() && slices.Contains(ownDirectories, within):
			return fs.SkipDir
		case entry.Type()&os.ModeDevice == 0 || slices.Contains(ownDevices, within) || strings.HasPrefix(within, channelPort):
			return nil
		}
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); errors.Is(err, unix.ENOENT) {
			return nil
		} else if err != nil {
			return err
		}
		kind, mode := "b", os.FileMode(stat.Mode&0o777)
		if entry.Type()&os.ModeCharDevice != 0 {
			kind = "c"
		}
		found = append(found, specs.LinuxDevice{
			Path: filepath.Join("/dev", within), Type: kind, FileMode: &mode, UID: &stat.Uid, GID: &stat.Gid,
			Major: int64(unix.Major(stat.Rdev)), Minor: int64(unix.Minor(stat.Rdev)),
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the machine's devices: %w", err)
	}
	return found, nil
}
