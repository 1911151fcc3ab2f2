// SPDX-License-Identifier: Apache-2.0

// Package cgroup creates a machine's directories below its pod's, in every
// mounted hierarchy (version 1 or 2), and removes them.
package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Hierarchies returns the mount points of all cgroup hierarchies.
func Hierarchies() ([]string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	return points(mounts), nil
}

func points(mounts []*mountinfo.Info) []string {
	var points []string
	for _, mount := range mounts {
		if !slices.Contains(points, mount.Mountpoint) {
			points = append(points, mount.Mountpoint)
		}
	}
	return points
}

// Plan names a machine's directories: one below the pod's, in each hierarchy
// where the kubelet has created the pod's. It creates nothing.
func Plan(hierarchies []string, parent, name string) ([]string, error) {
	if parent == "" {
		return nil, nil
	}
	if strings.Contains(name, "/") || name == "" || name[0] == '.' {
		return nil, fmt.Errorf("cgroup name %q is not a directory name", name)
	}
	if !filepath.IsAbs(parent) || slices.Contains(strings.Split(parent, "/"), "..") {
		return nil, fmt.Errorf("cgroup parent %q is not a clean absolute path", parent)
	}
	var dirs []string
	for _, point := range hierarchies {
		pod := filepath.Join(point, parent)
		switch info, err := os.Stat(pod); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("inspect the pod's cgroup: %w", err)
		case info.IsDir():
			dirs = append(dirs, filepath.Join(pod, name))
		}
	}
	return dirs, nil
}

// Create creates planned directories.
func Create(dirs []string) error {
	for _, dir := range dirs {
		if err := enable(filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create a cgroup: %w", err)
		}
		// A new version 1 cpuset is empty, and nothing can run in an empty one.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(dir, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// enable enables the controllers that a machine's directory needs in its pod's: in
// version 2 the kubelet enables them only down to the pod.
func enable(pod string) error {
	control := filepath.Join(pod, "cgroup.subtree_control")
	if _, err := os.Stat(control); errors.Is(err, fs.ErrNotExist) {
		return nil // version 1
	}
	text, err := os.ReadFile(filepath.Join(pod, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read a cgroup's controllers: %w", err)
	}
	var wanted []string
	for _, controller := range strings.Fields(string(text)) {
		if slices.Contains([]string{"cpu", "io", "memory", "pids"}, controller) {
			wanted = append(wanted, "+"+controller)
		}
	}
	if err := os.WriteFile(control, []byte(strings.Join(wanted, " ")), 0); err != nil {
		return fmt.Errorf("enable a cgroup's controllers: %w", err)
	}
	return nil
}

func inherit(dir, file string) error {
	own, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a cpuset: %w", err)
	}
	if len(bytes.TrimSpace(own)) > 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
		return nil // version 2: empty means the parent's
	}
	parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
	if err != nil {
		return fmt.Errorf("read a cpuset: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), parent, 0o644); err != nil {
		return fmt.Errorf("fill a cpuset: %w", err)
	}
	return nil
}

// Remove removes directories, waiting until ctx ends for their last process to
// be gone. A directory that does not exist, or whose pod's does not, is not an error.
func Remove(ctx context.Context, dirs []string) error {
	var faults []error
	for _, dir := range dirs {
		faults = append(faults, remove(ctx, dir))
	}
	return errors.Join(faults...)
}

func remove(ctx context.Context, dir string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("remove a cgroup: %w", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("remove a cgroup: %w", errors.Join(err, ctx.Err()))
		}
	}
}
