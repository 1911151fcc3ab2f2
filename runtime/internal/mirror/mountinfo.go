// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"

	"github.com/moby/sys/mountinfo"
)

// Mountinfo returns, for each mount point of this process, the mount's root
// within its file system; of several on one place the last, which is on top.
func Mountinfo() (map[string]string, error) {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	return roots(mounts), nil
}

func roots(mounts []*mountinfo.Info) map[string]string {
	roots := map[string]string{}
	for _, mount := range mounts {
		roots[mount.Mountpoint] = mount.Root
	}
	return roots
}
