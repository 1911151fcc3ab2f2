// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/vmm"
	"hypernetes.org/runtime/internal/vmstate"
)

// scratchDisk is a writable disk of the machine. The open file shows what it occupies,
// also when its directory has been removed.
type scratchDisk struct {
	file *os.File
	path string
}

// AttachScratch creates a scratch disk in a directory of the host, and plugs it. It
// returns the serial by which the guest finds it.
func (s *Sandbox) AttachScratch(ctx context.Context, dir string) (string, error) {
	path, err := disk.NewScratch(ctx, dir, s.scratchSize())
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", errors.Join(fmt.Errorf("open a scratch disk: %w", err), os.Remove(path))
	}
	serial := disk.Serial(path)
	if err := s.machine.AttachDisk(ctx, vmm.Disk{Path: path, Serial: serial}); err != nil {
		return "", errors.Join(fmt.Errorf("attach a scratch disk: %w", err), file.Close(), os.Remove(path))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scratch[serial] = scratchDisk{file: file, path: path}
	return serial, nil
}

// ReleaseScratch removes a scratch disk and unplugs it, whether or not the guest agrees.
func (s *Sandbox) ReleaseScratch(ctx context.Context, serial string) error {
	s.mu.Lock()
	found, ok := s.scratch[serial]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	fault := os.Remove(found.path)
	if errors.Is(fault, os.ErrNotExist) {
		fault = nil // with its directory
	}
	if s.live.Err() == nil {
		if err := s.machine.DetachDisk(ctx, serial); err != nil && !errors.Is(err, vmm.ErrGone) {
			// The guest keeps the disk, and its pod the space.
			return errors.Join(fault, fmt.Errorf("detach a scratch disk: %w", err))
		}
	}
	s.mu.Lock()
	delete(s.scratch, serial)
	s.mu.Unlock()
	return errors.Join(fault, found.file.Close())
}

// closeScratch forgets the disks of a machine that is gone. Their files are in
// directories that containerd and the kubelet remove.
func (s *Sandbox) closeScratch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, found := range s.scratch {
		_ = found.file.Close() // it was opened without access
	}
	clear(s.scratch)
}

// scratchSize is the size of each scratch disk, and what all of them are to take
// together: what the pod's limits promise, and what the file system needs for itself.
// What one container or emptyDir may take of it is known to the kubelet, which evicts.
func (s *Sandbox) scratchSize() int64 {
	if s.record.ScratchSize == 0 {
		return s.host.Config.ScratchSize
	}
	return disk.WithOverhead(s.record.ScratchSize)
}

// checkScratch refuses the machine if the node has promised the space for its scratch
// disks to others. The machine's own state is saved before, so that of two that start
// at the same time at least one sees the other.
func checkScratch(cfg config.Config) error {
	states, err := vmstate.List(cfg.VMDir)
	if err != nil {
		return err
	}
	for _, dir := range []string{cfg.ContainerdRoot, cfg.KubeletDir} {
		place, err := fileSystemOf(dir)
		if err != nil {
			return err
		}
		if err := checkSpace(cfg, place, states); err != nil {
			return fmt.Errorf("%w: %w", err, errdefs.ErrResourceExhausted)
		}
	}
	return nil
}

// fileSystem is one that holds scratch disks.
type fileSystem struct {
	dir    string // in it
	device uint64
	free   int64 // bytes
}

func fileSystemOf(dir string) (fileSystem, error) {
	var space unix.Statfs_t
	var stat unix.Stat_t
	if err := errors.Join(unix.Statfs(dir, &space), unix.Stat(dir, &stat)); err != nil {
		return fileSystem{}, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	return fileSystem{dir: dir, device: stat.Dev, free: int64(space.Bavail) * space.Bsize}, nil
}

// checkSpace compares what all machines may write to a file system with the space there
// is for it. Disks are sparse: without this the node would fill up later, in the middle
// of other tenants' writes.
func checkSpace(cfg config.Config, place fileSystem, states []vmstate.State) error {
	space := place.free - cfg.ScratchReserve
	promised := int64(0)
	for _, state := range states {
		allocated, there := scratchAllocated(state, place.device)
		if !there {
			continue
		}
		promised += state.ScratchSize
		space += min(allocated, state.ScratchSize)
	}
	if float64(promised) > cfg.ScratchRatio*float64(space) {
		return fmt.Errorf("the node's file system for scratch disks (%s) is full: machines may write %d MiB, "+
			"of which with this one %d MiB can be promised", place.dir, promised>>20, max(0, int64(cfg.ScratchRatio*float64(space)))>>20)
	}
	return nil
}

// scratchAllocated returns the bytes that a machine's scratch disks occupy on a file
// system, and whether the machine is there. Its monitor has them open, each more than once.
func scratchAllocated(state vmstate.State, device uint64) (allocated int64, there bool) {
	if state.Monitor.PID == 0 {
		return 0, state.Shim.Runs()
	}
	files := filepath.Join("/proc", strconv.Itoa(state.Monitor.PID), "fd")
	entries, err := os.ReadDir(files)
	if err != nil {
		return 0, false // the machine is gone
	}
	seen := map[uint64]bool{}
	for _, entry := range entries {
		path := filepath.Join(files, entry.Name())
		target, err := os.Readlink(path)
		if err != nil || filepath.Base(strings.TrimSuffix(target, " (deleted)")) != disk.ScratchName {
			continue
		}
		var stat unix.Stat_t
		if err := unix.Stat(path, &stat); err != nil || stat.Dev != device || seen[stat.Ino] {
			continue // or it was closed in the meantime
		}
		seen[stat.Ino] = true
		allocated += stat.Blocks * 512
	}
	return allocated, true
}
