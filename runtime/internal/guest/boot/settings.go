// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/sysctl"
)

// PodCgroup holds the containers' cgroups.
const PodCgroup = CgroupDir + "/pod"

// What is reserved, so that the guest itself continues when containers use the rest.
const (
	reservedMemory  = 24 << 20 // bytes: crun beside hyper-guest, and what both have cached
	reservedThreads = 128
)

// openFiles is what containers may raise their limit to: fs.nr_open's default, as
// containerd's own unit has it.
const openFiles = 1 << 20

// Settle gives the guest the limits and kernel parameters of an ordinary node, and
// ensures that it outlives its containers. What containers inherit is set here:
// the kernel takes its defaults from the machine's memory, which is small.
func Settle() error {
	for _, limit := range []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_NOFILE, openFiles},
		{unix.RLIMIT_NPROC, unix.RLIM_INFINITY}, // the pids cgroup holds them
		{unix.RLIMIT_SIGPENDING, unix.RLIM_INFINITY},
	} {
		// Not unix.Setrlimit: Go gives children the limit of files that it found at
		// its start, unless it is changed this way.
		if err := syscall.Setrlimit(limit.resource, &syscall.Rlimit{Cur: limit.value, Max: limit.value}); err != nil {
			return fmt.Errorf("set resource limit %d: %w", limit.resource, err)
		}
	}
	for _, setting := range sysctl.Defaults() {
		path := filepath.Join("/proc/sys", strings.ReplaceAll(setting.Name, ".", "/"))
		err := os.WriteFile(path, []byte(setting.Value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not in each kernel
			return fmt.Errorf("set sysctl %s: %w", setting.Name, err)
		}
	}
	return podCgroup()
}

// podCgroup limits all containers together to what the guest can spare.
func podCgroup() error {
	if err := os.Mkdir(PodCgroup, 0o755); err != nil {
		return fmt.Errorf("create the pod's cgroup: %w", err)
	}
	return limitPod()
}

// limitPod goes by what the machine has now.
func limitPod() error {
	// Not MemAvailable, which excludes memory that the kernel prefers to keep.
	free, err := memory("MemFree")
	if err != nil {
		return err
	}
	count, err := maxThreads()
	if err != nil {
		return err
	}
	for _, setting := range []struct {
		file  string
		value int64
	}{
		{"memory.max", max(free-reservedMemory, reservedMemory)},
		{"pids.max", max(count-reservedThreads, reservedThreads)},
	} {
		if err := os.WriteFile(filepath.Join(PodCgroup, setting.file), []byte(strconv.FormatInt(setting.value, 10)), 0); err != nil {
			return fmt.Errorf("limit the pod's containers: %w", err)
		}
	}
	return nil
}

func maxThreads() (int64, error) {
	text, err := os.ReadFile("/proc/sys/kernel/threads-max")
	if err != nil {
		return 0, fmt.Errorf("read the machine's limit of threads: %w", err)
	}
	count, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the machine's limit of threads: %w", err)
	}
	return count, nil
}

// memory reads one of the kernel's figures, in bytes.
func memory(name string) (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read the machine's memory: %w", err)
	}
	return parseMemory(string(text), name)
}

func parseMemory(text, wanted string) (int64, error) {
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if name != wanted || len(fields) == 0 {
			continue
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the machine's memory: %w", err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("the kernel does not report %s", wanted)
}
