// SPDX-License-Identifier: Apache-2.0

// Package reaper starts and reaps processes. PID 1 inherits every orphan of the
// machine, so one place waits for processes, and nothing here uses os/exec.
package reaper

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exit is how a process exited.
type Exit struct {
	Code int // 0-255; 128 + signal for a killed one
	At   time.Time
}

// Exits of processes that are not watched yet are kept, since a container's first
// process may end before its pid is read; the oldest is forgotten first.
const keptOrphans = 1024

const adjustmentFile = "/proc/self/oom_score_adj"

// Reaper owns all child processes of this process.
type Reaper struct {
	mu      sync.Mutex
	watched map[int]chan Exit
	orphans map[int]Exit
	order   []int
}

// New starts reaping; there must be only one Reaper in a process. It never stops.
func New() *Reaper {
	r := &Reaper{watched: map[int]chan Exit{}, orphans: map[int]Exit{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			r.reap()
		}
	}()
	return r
}

// Start runs a program with this oom_score_adj; the channel delivers its exit once.
func (r *Reaper) Start(argv []string, attr *syscall.ProcAttr, adjustment int) (int, <-chan Exit, error) {
	// Held over the fork, so that the exit cannot come before the entry, and that
	// the program inherits its own adjustment.
	r.mu.Lock()
	defer r.mu.Unlock()
	// For this process it means nothing: the OOM killer never takes a machine's first.
	if err := os.WriteFile(adjustmentFile, []byte(strconv.Itoa(adjustment)), 0); err != nil {
		return 0, nil, fmt.Errorf("set the OOM adjustment of %s: %w", argv[0], err)
	}
	pid, err := syscall.ForkExec(argv[0], argv, attr)
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	exit := make(chan Exit, 1)
	r.watched[pid] = exit
	return pid, exit, nil
}

// Watch delivers the exit of a process that became a child of this one without Start.
func (r *Reaper) Watch(pid int) <-chan Exit {
	r.mu.Lock()
	defer r.mu.Unlock()
	exit := make(chan Exit, 1)
	past, kept := r.orphans[pid]
	r.drop(pid)
	// A process that is there, or is waited for only after this, is not the one
	// that has exited: process ids are used again.
	if kept && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		exit <- past
		return exit
	}
	r.watched[pid] = exit
	return exit
}

// Signal sends a signal to a watched process. A process that was reaped is
// ESRCH, never another process that got its number.
func (r *Reaper) Signal(pid int, sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.watched[pid]; !ok {
		return unix.ESRCH
	}
	return unix.Kill(pid, sig)
}

func (r *Reaper) reap() {
	for {
		r.mu.Lock()
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			r.mu.Unlock()
			continue
		}
		if err != nil || pid <= 0 {
			r.mu.Unlock()
			return
		}
		r.deliver(pid, Exit{Code: code(status), At: time.Now()})
		r.mu.Unlock()
	}
}

func (r *Reaper) deliver(pid int, exit Exit) {
	if watcher, ok := r.watched[pid]; ok {
		delete(r.watched, pid)
		watcher <- exit
		return
	}
	r.drop(pid) // of an earlier process with this id
	r.order = append(r.order, pid)
	r.orphans[pid] = exit
	for len(r.order) > keptOrphans {
		r.drop(r.order[0])
	}
}

// drop forgets an orphan.
func (r *Reaper) drop(pid int) {
	if _, kept := r.orphans[pid]; kept {
		delete(r.orphans, pid)
		r.order = slices.DeleteFunc(r.order, func(other int) bool { return other == pid })
	}
}

func code(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
