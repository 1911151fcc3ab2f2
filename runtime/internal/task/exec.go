// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"encoding/json"
	"fmt"

	eventtypes "github.com/containerd/containerd/api/events"
	api "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/ident"
	"hypernetes.org/runtime/internal/ocispec"
	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/stdio"
)

// Exec registers a further process in a running container.
func (s *Service) Exec(ctx context.Context, r *api.ExecProcessRequest) error {
	if !ident.Valid(r.GetExecID()) {
		return fmt.Errorf("exec id %q: %w", r.GetExecID(), errdefs.ErrInvalidArgument)
	}
	c, first, err := s.find(r.GetID(), "")
	if err != nil {
		return err
	}
	if status, _ := first.now(); status != running {
		return fmt.Errorf("container %q does not run: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	var spec specs.Process
	if err := json.Unmarshal(r.GetSpec().GetValue(), &spec); err != nil {
		return fmt.Errorf("parse the exec's process: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	ocispec.Process(&spec)
	wire, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("write the exec's process: %w", err)
	}
	paths := stdio.Paths{Stdin: r.GetStdin(), Stdout: r.GetStdout(), Stderr: r.GetStderr(), Terminal: r.GetTerminal()}
	if err := paths.Check(); err != nil {
		return fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	p := newProcess(c.id, r.GetExecID(), paths)
	if p.probe, err = probeOf(spec.Args); err != nil {
		return err
	}
	if err := s.addExec(c, p); err != nil {
		return err
	}
	if p.probe != nil {
		err = s.registerProbe(ctx, p)
	} else {
		err = s.registerExec(ctx, c, p, wire)
	}
	if err != nil {
		s.mu.Lock()
		delete(c.execs, p.exec)
		s.mu.Unlock()
		return err
	}
	s.events.send(topicExecAdded, &eventtypes.TaskExecAdded{ContainerID: c.id, ExecID: p.exec})
	return nil
}

func (s *Service) addExec(c *container, p *process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.execs[p.exec] != nil {
		return fmt.Errorf("exec %q: %w", p.exec, errdefs.ErrAlreadyExists)
	}
	if len(c.execs) >= maxExecs {
		return fmt.Errorf("container %q has %d execs: %w", c.id, maxExecs, errdefs.ErrResourceExhausted)
	}
	c.execs[p.exec] = p
	return nil
}

func (s *Service) registerExec(ctx context.Context, c *container, p *process, spec []byte) error {
	guest, err := s.sandbox.Guest()
	if err != nil {
		return err
	}
	ctx, cancel := s.sandbox.Call(ctx)
	defer cancel()
	if _, err := guest.Exec(ctx, &guestv1.ExecRequest{
		Id: c.id, ExecId: p.exec, Process: spec, Terminal: p.paths.Terminal,
		Stdin: p.paths.Stdin != "", Stdout: p.paths.Stdout != "", Stderr: p.paths.Stderr != "" && !p.paths.Terminal,
	}); err != nil {
		return fmt.Errorf("exec: %w", sandbox.GuestError(err))
	}
	streams, err := stdio.Open(ctx, p.paths, s.opener(c.id, p.exec))
	if err != nil {
		if _, fault := guest.Delete(ctx, &guestv1.ProcessRequest{Id: c.id, ExecId: p.exec}); fault != nil {
			return fmt.Errorf("%w (and the guest keeps the exec: %w)", err, sandbox.GuestError(fault))
		}
		return err
	}
	p.attach(streams)
	return nil
}

// State describes a process.
func (s *Service) State(id, exec string) (*api.StateResponse, error) {
	c, p, err := s.find(id, exec)
	if err != nil {
		return nil, err
	}
	status, exit := p.now()
	response := &api.StateResponse{
		ID: c.id, Bundle: c.bundle, Pid: s.pid(), Status: status.api(),
		Stdin: p.paths.Stdin, Stdout: p.paths.Stdout, Stderr: p.paths.Stderr, Terminal: p.paths.Terminal,
		ExitStatus: exit.Code, ExitedAt: stamp(exit.At), ExecID: p.exec,
	}
	if p.exec != "" {
		response.ID = p.exec
	}
	return response, nil
}

// Pids reports to containerd that a container exists; processes inside the machine
// have no process ID on the host.
func (s *Service) Pids(id string) (*api.PidsResponse, error) {
	if _, _, err := s.find(id, ""); err != nil {
		return nil, err
	}
	return &api.PidsResponse{Processes: []*tasktypes.ProcessInfo{{Pid: s.pid()}}}, nil
}

// ResizePty resizes a process's terminal.
func (s *Service) ResizePty(ctx context.Context, r *api.ResizePtyRequest) error {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return err
	}
	guest, err := s.sandbox.Guest()
	if err != nil {
		return err
	}
	ctx, cancel := s.sandbox.Call(ctx)
	defer cancel()
	_, err = guest.ResizePty(ctx, &guestv1.ResizePtyRequest{Id: c.id, ExecId: p.exec, Width: r.GetWidth(), Height: r.GetHeight()})
	return sandbox.GuestError(err)
}

// CloseIO closes a process's input once it has been carried.
func (s *Service) CloseIO(r *api.CloseIORequest) error {
	_, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return err
	}
	if streams := p.attached(); r.GetStdin() && streams != nil {
		streams.CloseStdin()
	}
	return nil
}

// Update changes a container's limits inside the machine, whose own size stays.
func (s *Service) Update(ctx context.Context, r *api.UpdateTaskRequest) error {
	c, _, err := s.find(r.GetID(), "")
	if err != nil {
		return err
	}
	var resources specs.LinuxResources
	if err := json.Unmarshal(r.GetResources().GetValue(), &resources); err != nil {
		return fmt.Errorf("parse the limits: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	if err := s.sandbox.CheckLimits(wanted(&resources)); err != nil {
		return err
	}
	limits := ocispec.Resources(&resources)
	limits.Devices = nil // unchanged
	wire, err := json.Marshal(limits)
	if err != nil {
		return fmt.Errorf("write the limits: %w", err)
	}
	guest, err := s.sandbox.Guest()
	if err != nil {
		return err
	}
	ctx, cancel := s.sandbox.Call(ctx)
	defer cancel()
	_, err = guest.Update(ctx, &guestv1.UpdateRequest{Id: c.id, Resources: wire})
	return sandbox.GuestError(err)
}

// wanted are a container's limits in CRI's form.
func wanted(resources *specs.LinuxResources) *criruntime.LinuxContainerResources {
	limits := &criruntime.LinuxContainerResources{}
	if memory := resources.Memory; memory != nil && memory.Limit != nil {
		limits.MemoryLimitInBytes = *memory.Limit
	}
	if cpu := resources.CPU; cpu != nil && cpu.Quota != nil && cpu.Period != nil {
		limits.CpuQuota, limits.CpuPeriod = *cpu.Quota, int64(*cpu.Period)
	}
	return limits
}
