// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/vmstate"
)

// scratchSize is the size of the machine's writable disk: what the pod's limits
// promise, and what the file system needs for itself.
func (s *Sandbox) scratchSize() int64 {
	if s.record.ScratchSize == 0 {
		return s.host.Config.ScratchSize
	}
	return disk.WithOverhead(s.record.ScratchSize)
}

// makeScratch creates the machine's writable disk unless the node has promised
// its space to others. The machine's own state is saved before, so that of two
// that start at the same time at least one sees the other.
func (s *Sandbox) makeScratch(ctx context.Context, state vmstate.State) error {
	cfg := s.host.Config
	if err := os.MkdirAll(cfg.ScratchDir, 0o700); err != nil {
		return fmt.Errorf("create the scratch directory: %w", err)
	}
	states, err := vmstate.List(cfg.VMDir)
	if err != nil {
		return err
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(cfg.ScratchDir, &stat); err != nil {
		return fmt.Errorf("look at the scratch directory's file system: %w", err)
	}
	if err := checkSpace(cfg, states, int64(stat.Bavail)*stat.Bsize); err != nil {
		return fmt.Errorf("%w: %w", err, errdefs.ErrResourceExhausted)
	}
	return disk.NewScratch(ctx, state.Scratch, state.ScratchSize)
}

// checkSpace compares what all machines may write with the space there is for
// it. Disks are sparse: without this the node would fill up later, in the
// middle of other tenants' writes.
func checkSpace(cfg config.Config, states []vmstate.State, free int64) error {
	space := free - cfg.ScratchReserve
	promised := int64(0)
	for _, state := range states {
		allocated, there := scratchAllocated(state)
		if !there {
			continue
		}
		promised += state.ScratchSize
		space += min(allocated, state.ScratchSize)
	}
	if float64(promised) > cfg.ScratchRatio*float64(space) {
		return fmt.Errorf("the node's file system for scratch disks (%s) is full: machines may write %d MiB, "+
			"of which with this one %d MiB can be promised", cfg.ScratchDir, promised>>20, max(0, int64(cfg.ScratchRatio*float64(space)))>>20)
	}
	return nil
}

// scratchAllocated returns the bytes that a machine's disk occupies on the host. The disk
// has its name while the machine starts; then only the monitor has it.
func scratchAllocated(state vmstate.State) (allocated int64, there bool) {
	if state.Monitor.PID == 0 {
		return blocks(state.Scratch), state.Shim.Runs()
	}
	files := filepath.Join("/proc", strconv.Itoa(state.Monitor.PID), "fd")
	entries, err := os.ReadDir(files)
	if err != nil {
		return 0, false // the machine is gone, and its disk with it
	}
	for _, entry := range entries {
		path := filepath.Join(files, entry.Name())
		if target, err := os.Readlink(path); err == nil && target == state.Scratch+" (deleted)" {
			return blocks(path), true
		}
	}
	return 0, false
}

func blocks(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return stat.Blocks * 512
}
