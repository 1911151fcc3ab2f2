// SPDX-License-Identifier: Apache-2.0

// Package pressure ends what the kernel's OOM killer does not: containers that have used
// up the machine's memory but for a few pages of their programs, which the kernel drops and
// reads again forever. Each round frees something, so that it never counts as want of
// memory (Documentation/admin-guide/mm/multigen_lru.rst, "Thrashing prevention", which knows
// whole machines only and no cgroup). On an ordinary node the kubelet's eviction is before it;
// a pod's machine is small, and nobody else sees into it.
package pressure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// trigger: in 10 s, some process waited for memory for 6 s, in microseconds
// (Documentation/accounting/psi.rst). Not "full": with as few processors as a pod has, one
// process is mostly running, in the kernel's search for pages; containers that did nothing else
// had 85 % of some, and 29 % of full.
const trigger = "some 6000000 10000000"

// A cgroup in want is full, and what it has of files is less than a share of its limit or
// these bytes. With more it reads much, as a database does, and gets on.
const (
	fullPercent  = 95
	filePercent  = 5
	fewFileBytes = 8 << 20
)

const (
	freezePatience = 5 * time.Second
	freezePause    = 10 * time.Millisecond
)

// Watch has a process killed each time when the processes below a cgroup keep each other
// from running for want of memory. It returns only on an error.
func Watch(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, "memory.pressure"), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("watch the memory pressure: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteString(trigger + "\n"); err != nil {
		return fmt.Errorf("watch the memory pressure: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(file.Fd()), Events: unix.POLLPRI}}
	for {
		_, err := unix.Poll(fds, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && fds[0].Revents&unix.POLLERR != 0 {
			err = errors.New("the cgroup is gone")
		}
		if err == nil {
			err = relieve(dir)
		}
		if err != nil {
			return fmt.Errorf("watch the memory pressure: %w", err)
		}
	}
}

// relieve leaves the choice to the kernel: with a limit below what the cgroup can give up,
// it kills as in any other want of memory, by oom_score_adj and memory.oom.group. Meanwhile
// nothing runs that would take more or read its program again.
func relieve(dir string) (err error) {
	now, err := read(dir)
	if err != nil || !now.want() {
		return err
	}
	if err := set(dir, "cgroup.freeze", "1"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set(dir, "cgroup.freeze", "0")) }()
	waitFrozen(dir)
	if now, err = read(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set(dir, "memory.max", strconv.FormatInt(now.limit, 10))) }()
	// Ends when enough is free.
	return set(dir, "memory.max", strconv.FormatInt(now.least(), 10))
}

// waitFrozen waits until no process runs. One that does not stop in time only makes the
// kernel's work longer.
func waitFrozen(dir string) {
	for deadline := time.Now().Add(freezePatience); time.Now().Before(deadline); time.Sleep(freezePause) {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		if err != nil || strings.Contains(string(text), "frozen 1") {
			return
		}
	}
}

func set(dir, name, value string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(value), 0)
}

// state is a cgroup's memory, in bytes.
type state struct {
	limit, current int64
	file           int64 // what the kernel can drop and read again
}

func (s state) want() bool {
	return s.limit > 0 && s.current > s.limit/100*fullPercent && s.file < max(s.limit/100*filePercent, fewFileBytes)
}

// least is a limit that the cgroup can only keep when something ends.
func (s state) least() int64 { return max(s.current-s.file-(1<<20), 0) }

func read(dir string) (state, error) {
	var s state
	for name, value := range map[string]*int64{"memory.max": &s.limit, "memory.current": &s.current} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return s, err
		}
		word := strings.TrimSpace(string(text))
		if word == "max" {
			continue
		}
		if *value, err = strconv.ParseInt(word, 10, 64); err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key != "active_file" && key != "inactive_file" {
			continue
		}
		bytes, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return s, fmt.Errorf("memory.stat: %w", err)
		}
		s.file += bytes
	}
	return s, nil
}
