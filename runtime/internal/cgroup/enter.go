// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procs lists, and takes, whole processes in both versions.
const procs = "cgroup.procs"

// Enter moves this process into dirs.
func Enter(dirs []string) error {
	for _, dir := range dirs {
		if err := attach(dir, procs, os.Getpid()); err != nil {
			return err
		}
	}
	return nil
}

// EnterThread has what the calling thread starts be in dirs from its first
// instruction. In version 1 a child is where the thread is that forked it: the
// thread moves, and stays. Version 2 places no single thread; there the kernel
// places the child, in the returned directory (SysProcAttr.CgroupFD), which the
// caller closes. It is nil if version 2 has none of dirs.
func EnterThread(dirs []string) (*os.File, error) {
	unified := ""
	for _, dir := range dirs {
		if isUnified(dir) {
			unified = dir
			continue
		}
		if err := attach(dir, "tasks", unix.Gettid()); err != nil {
			return nil, err
		}
	}
	if unified == "" {
		return nil, nil
	}
	file, err := os.OpenFile(unified, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a cgroup: %w", err)
	}
	return file, nil
}

func isUnified(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.controllers"))
	return err == nil
}

func attach(dir, file string, id int) error {
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(id)), 0o600); err != nil {
		return fmt.Errorf("enter a cgroup: %w", err)
	}
	return nil
}

// Place is where a process is in one hierarchy.
type Place struct{ top, dir string }

// Own returns where this process is, in each of the hierarchies.
func Own(hierarchies []string) ([]Place, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find this process's cgroups: %w", err)
	}
	return own(string(text), hierarchies), nil
}

// own finds a hierarchy's line by the name of its mount point: version 1 is mounted
// at the names of its controllers (cgroups(7)). Without a line, the place is the top.
func own(table string, hierarchies []string) []Place {
	var places []Place
	for _, top := range hierarchies {
		place := Place{top: top, dir: top}
		for line := range strings.Lines(table) {
			parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(parts) != 3 {
				continue
			}
			name := strings.TrimPrefix(parts[1], "name=")
			if name == filepath.Base(top) || name == "" && isUnified(top) {
				place.dir = filepath.Join(top, parts[2])
			}
		}
		places = append(places, place)
	}
	return places
}

// Return moves this process to where it was. A place that is gone, or that takes no
// process any more, is replaced by the top of its hierarchy.
func Return(places []Place) error {
	var faults []error
	for _, place := range places {
		if err := attach(place.dir, procs, os.Getpid()); err != nil {
			faults = append(faults, attach(place.top, procs, os.Getpid()))
		}
	}
	return errors.Join(faults...)
}
