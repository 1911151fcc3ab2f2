// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	api "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"github.com/opencontainers/runtime-spec/specs-go"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/mirror"
	"hypernetes.org/runtime/internal/ocispec"
	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/stdio"
)

// maxSpec bounds a specification; the guest takes messages of 4 MiB.
const maxSpec = 3 << 20

// container is one container of the pod.
type container struct {
	id, bundle string
	process    *process
	execs      map[string]*process // guarded by Service.mu
	serials    []string            // of its layers' disks
	scratch    string              // serial of its writable layer's disk
	logs       []mirror.Volume     // termination logs: copied back at exit
	samples    samples
}

// plan is a container as the guest will have it; nothing has been done yet.
type plan struct {
	rootfs  disk.Rootfs
	volumes []mirror.Volume
	taken   map[string]bool // mount destinations of the specification
	request *guestv1.CreateContainerRequest
	// oomScore is the kubelet's oom_score_adj for the container, if it says one.
	oomScore *int
	readOnly bool // the container's root
}

// create creates a container in the guest; if it fails, nothing is left.
func (s *Service) create(ctx context.Context, r *api.CreateTaskRequest) (_ *container, err error) {
	paths := stdio.Paths{Stdin: r.GetStdin(), Stdout: r.GetStdout(), Stderr: r.GetStderr(), Terminal: r.GetTerminal()}
	if r.GetCheckpoint() != "" {
		return nil, fmt.Errorf("restore a checkpoint: %w", errdefs.ErrNotImplemented)
	}
	if err := paths.Check(); err != nil {
		return nil, err
	}
	plan, err := s.plan(r, paths)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	guest, err := s.sandbox.Guest()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.sandbox.Call(ctx)
	defer cancel()
	c := &container{id: r.GetID(), bundle: r.GetBundle(), process: newProcess(r.GetID(), "", paths), execs: map[string]*process{}}
	if err := s.attach(ctx, c, plan.rootfs); err != nil {
		return nil, err
	}
	made := false
	defer func() {
		if err == nil {
			return
		}
		undo := context.WithoutCancel(ctx)
		if made {
			undo, cancel := s.sandbox.Call(undo)
			defer cancel()
			if _, fault := guest.Delete(undo, &guestv1.ProcessRequest{Id: c.id}); fault != nil {
				log.G(ctx).WithError(sandbox.GuestError(fault)).Warn("undo a container")
			}
		}
		err = errors.Join(err, s.release(undo, c))
	}()
	for _, volume := range plan.volumes {
		if volume.Kind == mirror.Log {
			c.logs = append(c.logs, volume)
		}
	}
	extra := s.sandbox.PodMounts(plan.readOnly, func(destination string) bool { return plan.taken[destination] })
	plan.request.Mounts = append(extra, plan.request.Mounts...)
	plan.request.Layers, plan.request.Scratch = c.serials, c.scratch
	volumes, err := s.sandbox.Volumes(ctx, plan.volumes)
	if err != nil {
		return nil, err
	}
	plan.request.Volumes = volumes.Requests
	_, err = guest.CreateContainer(ctx, plan.request)
	volumes.Done(err == nil)
	if err != nil {
		return nil, fmt.Errorf("create the container in the guest: %w", sandbox.GuestError(err))
	}
	made = true
	streams, err := stdio.Open(ctx, paths, s.opener(c.id, ""))
	if err != nil {
		return nil, err
	}
	c.process.attach(streams)
	s.sandbox.Protect(plan.oomScore)
	return c, nil
}

// attach plugs the disks of a container's root file system.
func (s *Service) attach(ctx context.Context, c *container, rootfs disk.Rootfs) (err error) {
	if c.serials, err = s.sandbox.AttachLayers(ctx, rootfs.Layers); err != nil {
		return err
	}
	if c.scratch, err = s.sandbox.AttachScratch(ctx, rootfs.Upper); err != nil {
		return errors.Join(err, s.sandbox.ReleaseLayers(ctx, c.serials))
	}
	return nil
}

// release unplugs what attach has plugged.
func (s *Service) release(ctx context.Context, c *container) error {
	return errors.Join(s.sandbox.ReleaseScratch(ctx, c.scratch), s.sandbox.ReleaseLayers(ctx, c.serials))
}

func (s *Service) opener(container, exec string) stdio.Opener {
	return func(ctx context.Context, fd uint8) (net.Conn, error) { return s.sandbox.IO(ctx, container, exec, fd) }
}

// plan decides, without side effects, what to request from the guest.
func (s *Service) plan(r *api.CreateTaskRequest, paths stdio.Paths) (*plan, error) {
	spec, err := readSpec(r.GetBundle())
	if err != nil {
		return nil, err
	}
	pod, err := s.sandbox.Mounts()
	if err != nil {
		return nil, err
	}
	rootfs, err := disk.ParseRootfs(disk.SnapshotDir(s.sandbox.Config().ContainerdRoot), r.GetRootfs())
	if err != nil {
		return nil, err
	}
	sanitized, err := ocispec.Sanitize(spec, s.sandbox.Pids())
	if err != nil {
		return nil, err
	}
	p := &plan{rootfs: rootfs, oomScore: spec.Process.OOMScoreAdj, taken: map[string]bool{}, readOnly: sanitized.Spec.Root.Readonly}
	p.request = &guestv1.CreateContainerRequest{
		Id: r.GetID(), Terminal: r.GetTerminal(),
		Stdin: paths.Stdin != "", Stdout: paths.Stdout != "", Stderr: paths.Stderr != "" && !paths.Terminal,
	}
	if err := s.pidNamespace(p.request, sanitized.PID); err != nil {
		return nil, err
	}
	for _, bind := range sanitized.Binds {
		volume, err := pod.Classify(bind)
		if err != nil {
			return nil, err
		}
		p.volumes = append(p.volumes, volume)
		p.taken[filepath.Clean(bind.Destination)] = true
		p.request.Mounts = append(p.request.Mounts, volume.Mount)
	}
	// The pod's shared /dev/shm replaces the container's own.
	sanitized.Spec.Mounts = withoutOwnShm(sanitized.Spec.Mounts)
	if p.request.Spec, err = json.Marshal(sanitized.Spec); err != nil {
		return nil, fmt.Errorf("write the specification: %w", err)
	}
	return p, nil
}

func withoutOwnShm(mounts []specs.Mount) []specs.Mount {
	kept := mounts[:0]
	for _, mount := range mounts {
		if mount.Destination != "/dev/shm" {
			kept = append(kept, mount)
		}
	}
	return kept
}

func (s *Service) pidNamespace(request *guestv1.CreateContainerRequest, pid ocispec.PID) error {
	switch pid {
	case ocispec.PIDOwn:
		request.PidNamespace = guestv1.PidNamespace_OWN
	case ocispec.PIDPod:
		request.PidNamespace = guestv1.PidNamespace_POD
	case ocispec.PIDTarget:
		// All tasks of the pod have the emulator's process id, so the target is
		// known only if there is a single candidate.
		targets := s.runningContainers()
		if len(targets) != 1 {
			return fmt.Errorf("sharing processes with one of %d running containers is not supported", len(targets))
		}
		request.PidNamespace, request.PidTarget = guestv1.PidNamespace_TARGET, targets[0]
	}
	return nil
}

func readSpec(bundle string) (*specs.Spec, error) {
	file, err := os.Open(filepath.Join(bundle, "config.json"))
	if err != nil {
		return nil, fmt.Errorf("open the specification: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSpec+1))
	if err != nil {
		return nil, fmt.Errorf("read the specification: %w", err)
	}
	if len(data) > maxSpec {
		return nil, fmt.Errorf("the specification is longer than %d bytes", maxSpec)
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, fmt.Errorf("parse the specification: %w", err)
	}
	return &spec, nil
}
