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

	"golang.org/x/sys/unix"
)

// savedMemory is what the template had, in bytes; 0 in a machine that booted.
var savedMemory int64

// The kernel derives these from the machine's memory, and only when it boots. A clone has
// more than its template had.
var (
	// In proportion to the memory that is free early, which does not yet include that of the
	// initramfs. Threads may take an eighth of it (kernel/fork.c, set_max_threads).
	early = []string{
		"kernel/threads-max", "fs/epoll/max_user_watches",
		"user/max_cgroup_namespaces", "user/max_ipc_namespaces", "user/max_mnt_namespaces", "user/max_net_namespaces",
		"user/max_pid_namespaces", "user/max_time_namespaces", "user/max_user_namespaces", "user/max_uts_namespaces",
	}
	// In proportion to the memory.
	proportional = []string{"net/ipv4/tcp_mem", "net/ipv4/udp_mem"}
	// The last number is a 128th of the memory, up to a maximum (net/ipv4/tcp.c, tcp_init).
	buffers = map[string]int64{"net/ipv4/tcp_rmem": 6 << 20, "net/ipv4/tcp_wmem": 4 << 20}
)

// threadMemory is what a possible thread stands for, in bytes: eight stacks.
const threadMemory = 8 * 16 << 10

// Grow brings what follows from the machine's memory up to what a clone has. It does
// nothing in a machine that booted.
func Grow() error {
	if savedMemory == 0 {
		return nil
	}
	now, err := memory("MemTotal")
	if err != nil {
		return err
	}
	threads, err := maxThreads()
	if err != nil {
		return err
	}
	for _, name := range early {
		free := threads * threadMemory
		if err := change(name, func(text string) (string, error) { return scale(text, free+now-savedMemory, free) }); err != nil {
			return err
		}
	}
	for _, name := range proportional {
		if err := change(name, func(text string) (string, error) { return scale(text, now, savedMemory) }); err != nil {
			return err
		}
	}
	for name, limit := range buffers {
		if err := change(name, func(text string) (string, error) { return enlarge(text, min(limit, now/128)) }); err != nil {
			return err
		}
	}
	savedMemory = now
	// Its size is a share of the memory when it is mounted.
	if err := unix.Mount("", FilesDir, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, filesOptions); err != nil {
		return fmt.Errorf("resize %s: %w", FilesDir, err)
	}
	return limitPod()
}

// change rewrites a kernel parameter.
func change(name string, to func(text string) (string, error)) error {
	path := filepath.Join("/proc/sys", name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not in each kernel
	}
	if err != nil {
		return fmt.Errorf("read a kernel parameter: %w", err)
	}
	value, err := to(string(text))
	if err != nil {
		return fmt.Errorf("kernel parameter %s: %w", name, err)
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("set a kernel parameter: %w", err)
	}
	return nil
}

// scale multiplies each number of a text by now/before.
func scale(text string, now, before int64) (string, error) {
	fields := strings.Fields(text)
	for i, field := range fields {
		number, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return "", err
		}
		fields[i] = strconv.FormatInt(int64(float64(number)*float64(now)/float64(before)), 10)
	}
	return strings.Join(fields, " "), nil
}

// enlarge sets the last number of a text, unless it is larger.
func enlarge(text string, value int64) (string, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return "", errors.New("it is empty")
	}
	number, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
	if err != nil {
		return "", err
	}
	fields[len(fields)-1] = strconv.FormatInt(max(number, value), 10)
	return strings.Join(fields, " "), nil
}
