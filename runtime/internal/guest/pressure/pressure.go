// SPDX-License-Identifier: Apache-2.0

// Package pressure ends what the kernel's OOM killer does not: containers that have used
// up the machine's memory, or their own limit, but for a few pages of their programs, which
// the kernel drops and reads again forever. Each round frees something, so that it never counts as want of
// memory (Documentation/admin-guide/mm/multigen_lru.rst, "Thrashing prevention", which knows
// whole machines only and no cgroup). On an ordinary node the kubelet's eviction is before it;
// a pod's machine is small, and nobody else sees into it.
package pressure

import (
	"errors"
	"fmt"
	"io/fs"
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
// lookAgain bounds how long a watch outlives its cgroup, should the kernel not wake it.
const lookAgain = time.Minute

const (
	fullPercent  = 95
	filePercent  = 5
	fewFileBytes = 8 << 20
)

// errGone ends a watch: the cgroup does not exist any more.
var errGone = errors.New("the cgroup is gone")

// Watch calls relieve each time when the processes below a cgroup keep each other from
// running for want of memory. It returns nil when the cgroup is gone, or an error.
func Watch(dir string, relieve func() error) error {
	err := watch(dir, relieve)
	if errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("watch the memory pressure: %w", err)
}

func watch(dir string, relieve func() error) error {
	file, err := os.OpenFile(filepath.Join(dir, "memory.pressure"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(trigger + "\n"); err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: int32(file.Fd()), Events: unix.POLLPRI}}
	for {
		count, err := unix.Poll(fds, int(lookAgain.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && count == 0 {
			if _, err = os.Stat(dir); err == nil {
				continue
			}
		}
		if err == nil && fds[0].Revents&unix.POLLERR != 0 {
			err = errGone
		}
		if err == nil {
			err = act(dir, relieve)
		}
		if err != nil {
			return err
		}
	}
}

func act(dir string, relieve func() error) error {
	now, err := read(dir)
	if err != nil || !now.want() {
		return err
	}
	return relieve()
}

// state is a cgroup's memory, in bytes.
type state struct {
	limit, current int64
	file           int64 // what the kernel can drop and read again
}

func (s state) want() bool {
	return s.limit > 0 && s.current > s.limit/100*fullPercent && s.file < max(s.limit/100*filePercent, fewFileBytes)
}

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
