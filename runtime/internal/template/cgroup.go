// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hypernetes.org/runtime/internal/cgroup"
)

// Cgroups creates the cgroup that template memory is charged to: its pages belong to
// whom first touches them, and that must be no pod. It is below the caller's own.
func Cgroups(memory int64) ([]string, error) {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	dirs := below(hierarchies, own, os.Getpid())
	if err := cgroup.Create(dirs); err != nil {
		return nil, err
	}
	return dirs, cgroup.LimitMemory(dirs, memory)
}

// below names a directory under the process's own in each hierarchy. Which path of
// /proc/PID/cgroup (cgroups(7)) belongs to which mount shows in the list of processes.
func below(hierarchies []string, own []byte, pid int) []string {
	var dirs []string
	for _, point := range hierarchies {
		for lines := bufio.NewScanner(bytes.NewReader(own)); lines.Scan(); {
			parts := strings.SplitN(lines.Text(), ":", 3)
			if len(parts) != 3 {
				continue
			}
			dir := filepath.Join(point, parts[2])
			processes, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err == nil && slices.Contains(strings.Fields(string(processes)), strconv.Itoa(pid)) {
				dirs = append(dirs, filepath.Join(dir, "templates"))
				break
			}
		}
	}
	return dirs
}
