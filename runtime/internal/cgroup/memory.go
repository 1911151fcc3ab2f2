// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unlimited is how version 1 expresses that there is no limit: the largest number
// of bytes in whole pages.
const unlimited = 1 << 62

// Memory is what the kernel counted of a cgroup. Zero is unknown, or none.
type Memory struct {
	Kills uint64 // processes that the OOM killer killed
	Peak  int64  // bytes, the most that was in use at a time
	Limit int64  // bytes, the least of its own and its parents'
}

// LimitMemory limits the memory of the machine in dirs, in bytes.
func LimitMemory(dirs []string, limit int64) error {
	for _, dir := range dirs {
		for _, name := range []string{"memory.limit_in_bytes", "memory.max"} {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue // another controller's hierarchy
			}
			if err := os.WriteFile(path, []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
				return fmt.Errorf("limit the machine's memory: %w", err)
			}
		}
	}
	return nil
}

// ReadMemory reads the counters of a machine's directories. Version 1 counts a
// kill in the process's own group, version 2 in that group's parents too; the
// machine's own group has both.
func ReadMemory(dirs []string) Memory {
	var found Memory
	for _, dir := range dirs {
		found.Kills += keyed(filepath.Join(dir, "memory.oom_control"), "oom_kill")
		found.Kills += keyed(filepath.Join(dir, "memory.events"), "oom_kill")
		for _, name := range []string{"memory.max_usage_in_bytes", "memory.peak"} {
			found.Peak = max(found.Peak, number(filepath.Join(dir, name)))
		}
		for _, name := range []string{"memory.limit_in_bytes", "memory.max"} {
			for _, group := range []string{dir, filepath.Dir(dir)} {
				if limit := number(filepath.Join(group, name)); limit > 0 && limit < unlimited && (found.Limit == 0 || limit < found.Limit) {
					found.Limit = limit
				}
			}
		}
	}
	return found
}

// keyed reads one value of a flat keyed file; 0 when it is not there.
func keyed(path, key string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value, err := strconv.ParseUint(rest, 10, 64); err == nil && name == key {
			return value
		}
	}
	return 0
}

// number reads a single value; "max" and a missing file are 0.
func number(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	value, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return value
}
