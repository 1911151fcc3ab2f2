// SPDX-License-Identifier: Apache-2.0

package container

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

func (s *Set) cgroup(id string) string { return filepath.Join(s.dirs.Cgroup, "pod", id) }

const (
	cgroupPatience = 10 * time.Second
	cgroupPause    = time.Millisecond
)

// removeCgroup kills the processes left in a container's cgroup and removes it with
// its children; the kernel releases dead processes with a delay.
func (s *Set) removeCgroup(id string) error {
	dir := s.cgroup(id)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); errors.Is(err, fs.ErrNotExist) {
		return nil // it never started
	} else if err != nil {
		return fmt.Errorf("kill a container's processes: %w", err)
	}
	for deadline := time.Now().Add(cgroupPatience); ; time.Sleep(cgroupPause) {
		err := removeTree(dir)
		if err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// removeTree removes a cgroup, children first. Its files go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove a cgroup: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil {
		return fmt.Errorf("remove a cgroup: %w", err)
	}
	return nil
}

// Pids lists the container's processes.
func (s *Set) Pids(id string) ([]uint32, error) {
	in, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return s.pids(in)
}

// pids lists also the processes that the container has put into groups of its
// own, as systemd does.
func (s *Set) pids(in *container) ([]uint32, error) {
	var pids []uint32
	err := filepath.WalkDir(s.cgroup(in.id), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != s.cgroup(in.id) {
			return nil // a group that was removed meanwhile
		}
		if err != nil || entry.Name() != "cgroup.procs" {
			return err
		}
		found, err := readPids(path)
		pids = append(pids, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return pids, nil
}

func readPids(path string) ([]uint32, error) {
	text, err := os.ReadFile(path)
	// Removed meanwhile, or a threaded group, whose processes its domain lists.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []uint32
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		pids = append(pids, uint32(pid))
	}
	return pids, nil
}

// Update changes a container's limits; those that resources omits stay.
func (s *Set) Update(id string, raw []byte) error {
	if _, err := s.find(id); err != nil {
		return err
	}
	var wanted specs.LinuxResources
	if err := json.Unmarshal(raw, &wanted); err != nil {
		return fmt.Errorf("%w resources: %w", ErrInvalid, err)
	}
	for _, setting := range settings(&wanted) {
		path := filepath.Join(s.cgroup(id), setting.file)
		if err := os.WriteFile(path, []byte(setting.value), 0); err != nil {
			return fmt.Errorf("set %s: %w", setting.file, err)
		}
	}
	return nil
}

type setting struct{ file, value string }

// settings translates OCI resources, which speak cgroup v1, for cgroup v2.
func settings(wanted *specs.LinuxResources) []setting {
	var all []setting
	if cpu := wanted.CPU; cpu != nil {
		if cpu.Shares != nil && *cpu.Shares != 0 {
			all = append(all, setting{"cpu.weight", strconv.FormatUint(cpuWeight(*cpu.Shares), 10)})
		}
		if cpu.Quota != nil {
			quota, period := "max", uint64(100000)
			if *cpu.Quota > 0 {
				quota = strconv.FormatInt(*cpu.Quota, 10)
			}
			if cpu.Period != nil && *cpu.Period != 0 {
				period = *cpu.Period
			}
			all = append(all, setting{"cpu.max", fmt.Sprintf("%s %d", quota, period)})
		}
	}
	if memory := wanted.Memory; memory != nil && memory.Limit != nil && *memory.Limit != 0 {
		all = append(all, setting{"memory.max", limit(*memory.Limit)})
	}
	if wanted.Pids != nil && wanted.Pids.Limit != nil && *wanted.Pids.Limit != 0 {
		all = append(all, setting{"pids.max", limit(*wanted.Pids.Limit)})
	}
	return all
}

func limit(value int64) string {
	if value < 0 {
		return "max"
	}
	return strconv.FormatInt(value, 10)
}

// cpuWeight maps 2..262144 shares to 1..10000, the rule of the Kubernetes
// enhancement for cgroup v2 (KEP-2254).
func cpuWeight(shares uint64) uint64 {
	shares = min(max(shares, 2), 262144)
	return 1 + (shares-2)*9999/262142
}

// Stats reads a container's counters; files that are not there count as zero.
func (s *Set) Stats(id string) (*guestv1.StatsResponse, error) {
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	dir := s.cgroup(id)
	cpu := readKeyed(filepath.Join(dir, "cpu.stat"))
	memory := readKeyed(filepath.Join(dir, "memory.stat"))
	events := readKeyed(filepath.Join(dir, "memory.events"))
	stats := &guestv1.StatsResponse{
		ReadAtUnixNano: time.Now().UnixNano(),
		Cpu: &guestv1.StatsResponse_Cpu{
			Usage: cpu["usage_usec"], User: cpu["user_usec"], System: cpu["system_usec"],
			Periods: cpu["nr_periods"], ThrottledPeriods: cpu["nr_throttled"], Throttled: cpu["throttled_usec"],
		},
		Memory: &guestv1.StatsResponse_Memory{
			Usage: readNumber(filepath.Join(dir, "memory.current")), Limit: readNumber(filepath.Join(dir, "memory.max")),
			Anonymous: memory["anon"], File: memory["file"], InactiveFile: memory["inactive_file"],
			KernelStack: memory["kernel_stack"], Slab: memory["slab"],
			PageFaults: memory["pgfault"], MajorPageFaults: memory["pgmajfault"],
			OomEvents: events["oom"], OomKills: events["oom_kill"],
			SwapUsage: readNumber(filepath.Join(dir, "memory.swap.current")),
		},
		Processes: &guestv1.StatsResponse_ProcessCount{
			Current: readNumber(filepath.Join(dir, "pids.current")), Limit: readNumber(filepath.Join(dir, "pids.max")),
		},
	}
	var scratch unix.Statfs_t
	if unix.Statfs(s.writable(id), &scratch) == nil {
		block := uint64(scratch.Bsize)
		stats.Scratch = &guestv1.StatsResponse_FileSystem{
			CapacityBytes: scratch.Blocks * block, AvailableBytes: scratch.Bavail * block,
			Inodes: scratch.Files, InodesFree: scratch.Ffree,
		}
	}
	return stats, nil
}

// readKeyed reads a flat keyed file of cgroup v2; empty when it is not there.
func readKeyed(path string) map[string]uint64 {
	values := map[string]uint64{}
	file, err := os.Open(path)
	if err != nil {
		return values
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseUint(text, 10, 64); err == nil {
			values[key] = value
		}
	}
	return values
}

// readNumber reads a single value; "max" and a missing file are 0.
func readNumber(path string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	value, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return value
}
