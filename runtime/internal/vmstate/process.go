// SPDX-License-Identifier: Apache-2.0

package vmstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process identifies a process for as long as the host runs: a process ID alone is
// reused sooner or later.
type Process struct {
	PID int `json:"pid"`
	// StartTime is in clock ticks since boot (field 22 of proc_pid_stat(5)).
	StartTime uint64 `json:"start_time"`
}

// Find describes a running process.
func Find(pid int) (Process, error) {
	start, err := startTime(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, StartTime: start}, nil
}

func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("find process %d: %w", pid, err)
	}
	return parseStartTime(stat)
}

// parseStartTime reads field 22. The second field, a name in parentheses, may
// itself hold spaces and parentheses, so counting starts at the last one.
func parseStartTime(stat []byte) (uint64, error) {
	index := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[index+1:])
	if index < 0 || len(fields) < 20 {
		return 0, errors.New("process status is too short")
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// Runs reports whether the process still exists.
func (p Process) Runs() bool {
	start, err := startTime(p.PID)
	return err == nil && start == p.StartTime
}

// Kill kills the process (SIGKILL) if it is still the same one, and waits until
// ctx ends for it to be gone. A process that is gone is not an error.
func (p Process) Kill(ctx context.Context) error {
	if p.PID <= 1 || p.PID == os.Getpid() {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	// The descriptor pins the process; only now can its identity be checked.
	switch start, err := startTime(p.PID); {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH):
		return nil
	case err != nil:
		return err
	case start != p.StartTime:
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return gone(ctx, fd, p.PID)
}

func gone(ctx context.Context, fd, pid int) error {
	const step = 50 * time.Millisecond
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(step/time.Millisecond))
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("process %d does not end: %w", pid, ctx.Err())
		}
	}
}
