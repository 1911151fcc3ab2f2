// SPDX-License-Identifier: Apache-2.0

package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"hypernetes.org/runtime/internal/guest/boot"
	"hypernetes.org/runtime/internal/guest/pressure"
)

// EndGreediest ends the container in which the kernel's OOM killer would find its victim: that
// of the process with the highest oom_score, with all of its processes (memory.oom.group).
// The container is reported as killed for want of memory.
func (s *Set) EndGreediest() error {
	chosen := s.greediest("/proc")
	if chosen == nil {
		return nil
	}
	return s.end(chosen)
}

// guard ends a container that has used up its own limit so that its processes hardly run.
// It returns when the container's cgroup is gone.
func (s *Set) guard(in *container) {
	if err := pressure.Watch(s.cgroup(in.id), func() error { return s.end(in) }); err != nil {
		boot.Complain(err)
	}
}

func (s *Set) end(chosen *container) error {
	chosen.starved.Store(true)
	err := os.WriteFile(filepath.Join(s.cgroup(chosen.id), "cgroup.kill"), []byte("1"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was deleted meanwhile
		return fmt.Errorf("end a container for want of memory: %w", err)
	}
	return nil
}

// greediest is nil when no process of a container may be killed. A process may end meanwhile.
func (s *Set) greediest(proc string) *container {
	s.mu.Lock()
	all := make([]*container, 0, len(s.containers))
	for _, in := range s.containers {
		all = append(all, in)
	}
	s.mu.Unlock()
	var chosen *container
	var most uint64
	for _, in := range all {
		pids, err := s.pids(in)
		if err != nil {
			continue // it is being deleted
		}
		for _, pid := range pids {
			if score := readNumber(filepath.Join(proc, strconv.FormatUint(uint64(pid), 10), "oom_score")); score > most {
				chosen, most = in, score
			}
		}
	}
	return chosen
}
