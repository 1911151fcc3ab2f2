// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	api "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/ident"
	"hypernetes.org/runtime/internal/mirror"
	"hypernetes.org/runtime/internal/sandbox"
)

// maxContainers and maxExecs limit what one pod can make this process keep.
const (
	maxContainers = 512
	maxExecs      = 256
)

// Service is the tasks of one sandbox.
type Service struct {
	sandbox  *sandbox.Sandbox
	events   *queue
	shutdown func() // called when containerd gives up the whole shim
	patience time.Duration
	silent   atomic.Bool // the guest has not reported statistics

	mu         sync.Mutex
	containers map[string]*container
	waiters    group
}

// killPatience is how long a container may outlive SIGKILL. Nothing inside an
// honest machine takes that long, also under software emulation.
const killPatience = 15 * time.Second

// New creates the service. Its sender of events ends with ctx; shutdown is called
// when containerd removes the sandbox itself.
func New(ctx context.Context, s *sandbox.Sandbox, publisher Publisher, shutdown func()) *Service {
	return &Service{sandbox: s, events: newQueue(ctx, publisher), shutdown: shutdown, containers: map[string]*container{},
		patience: killPatience}
}

func (s *Service) pid() uint32 { return uint32(s.sandbox.Pids().Task) }

// find returns a container and its process: the first one or an exec.
func (s *Service) find(id, exec string) (*container, *process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	if c == nil || c.process == nil {
		return nil, nil, fmt.Errorf("container %q: %w", id, errdefs.ErrNotFound)
	}
	if exec == "" {
		return c, c.process, nil
	}
	p := c.execs[exec]
	if p == nil {
		return nil, nil, fmt.Errorf("exec %q of container %q: %w", exec, id, errdefs.ErrNotFound)
	}
	return c, p, nil
}

func (s *Service) runningContainers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, c := range s.containers {
		if c.process == nil {
			continue
		}
		if status, _ := c.process.now(); status == running {
			ids = append(ids, id)
		}
	}
	return ids
}

// Create creates a container.
func (s *Service) Create(ctx context.Context, r *api.CreateTaskRequest) (*api.CreateTaskResponse, error) {
	if !ident.Valid(r.GetID()) {
		return nil, fmt.Errorf("container id %q: %w", r.GetID(), errdefs.ErrInvalidArgument)
	}
	if err := s.reserve(r.GetID()); err != nil {
		return nil, err
	}
	c, err := s.create(ctx, r)
	s.mu.Lock()
	if err != nil {
		delete(s.containers, r.GetID())
	} else {
		s.containers[r.GetID()] = c
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.events.send(topicCreate, &eventtypes.TaskCreate{
		ContainerID: r.GetID(), Bundle: r.GetBundle(), Rootfs: r.GetRootfs(), Pid: s.pid(),
		IO: &eventtypes.TaskIO{Stdin: r.GetStdin(), Stdout: r.GetStdout(), Stderr: r.GetStderr(), Terminal: r.GetTerminal()},
	})
	return &api.CreateTaskResponse{Pid: s.pid()}, nil
}

// reserve prevents a second creation of the same container.
func (s *Service) reserve(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.containers[id] != nil {
		return fmt.Errorf("container %q: %w", id, errdefs.ErrAlreadyExists)
	}
	if len(s.containers) >= maxContainers {
		return fmt.Errorf("the pod has %d containers: %w", maxContainers, errdefs.ErrResourceExhausted)
	}
	s.containers[id] = &container{}
	return nil
}

// Start runs a created container or exec.
func (s *Service) Start(ctx context.Context, r *api.StartRequest) (*api.StartResponse, error) {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	guest, err := s.sandbox.Guest()
	if err != nil {
		return nil, err
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	if p.probe != nil {
		s.runProbe(ctx, c, p)
		return &api.StartResponse{Pid: s.pid()}, nil
	}
	ctx, cancel := s.sandbox.Call(ctx)
	defer cancel()
	if _, err := guest.Start(ctx, &guestv1.ProcessRequest{Id: c.id, ExecId: p.exec}); err != nil {
		if answered(err) {
			p.settle(created)
		} else {
			// It may run: Kill, Wait and Delete must not treat it as never started.
			p.settle(running)
			s.waiters.Go(func() { s.follow(c, p) })
		}
		return nil, fmt.Errorf("start: %w", sandbox.GuestError(err))
	}
	p.settle(running)
	if p.exec == "" {
		s.events.send(topicStart, &eventtypes.TaskStart{ContainerID: c.id, Pid: s.pid()})
	} else {
		s.events.send(topicExecStarted, &eventtypes.TaskExecStarted{ContainerID: c.id, ExecID: p.exec, Pid: s.pid()})
	}
	s.waiters.Go(func() { s.follow(c, p) })
	return &api.StartResponse{Pid: s.pid()}, nil
}

// follow waits for one process to exit; it ends with the process or the machine.
func (s *Service) follow(c *container, p *process) {
	exit := sandbox.Exit{Code: killedCode}
	var reason string // why the machine terminated, where containerd asks for it
	guest, err := s.sandbox.Guest()
	if err == nil {
		var answer *guestv1.WaitResponse
		answer, err = guest.Wait(s.sandbox.Live(), &guestv1.ProcessRequest{Id: c.id, ExecId: p.exec})
		if err == nil {
			exit.Code = answer.GetExitCode() & 0xff // reported by the guest: kept in range
			if p.exec == "" && answer.GetOomKilled() {
				s.events.deliver(topicOOM, &eventtypes.TaskOOM{ContainerID: c.id})
			}
		}
	}
	if err != nil && !s.machineEnds(err) {
		log.L.WithError(sandbox.GuestError(err)).WithField("container", c.id).Error("the guest lost a process")
		exit.Code = lostCode
	} else if err != nil && p.exec == "" {
		reason = s.outOfMemory(c)
	}
	// The host's clock: the guest's may be anything.
	exit.At = time.Now()
	if p.exec == "" && reason == "" {
		s.bringBackLogs(c)
	}
	s.finish(c, p, exit)
}

// machineEnds distinguishes a machine that is terminating from a guest that fails one
// call: the channel breaks a moment before the machine's exit is known.
func (s *Service) machineEnds(err error) bool {
	if !errdefs.IsUnavailable(sandbox.GuestError(err)) {
		return s.sandbox.Live().Err() != nil
	}
	select {
	case <-s.sandbox.Live().Done():
		return true
	case <-time.After(machineEndTimeout):
		return false
	}
}

const machineEndTimeout = 5 * time.Second

const (
	killedCode = 128 + uint32(unix.SIGKILL)
	lostCode   = 255
)

func (s *Service) finish(c *container, p *process, exit sandbox.Exit) {
	if p.finish(exit) {
		s.events.exit(p, s.pid(), exit)
	}
}

// outOfMemory reports a container whose machine the node's OOM killer killed: as
// OOMKilled, and with the text that the kubelet shows as its last message. It returns
// this text, or nothing if the machine terminated otherwise.
func (s *Service) outOfMemory(c *container) string {
	reason := s.sandbox.OutOfMemory()
	if reason == "" {
		return ""
	}
	// Before the exit: containerd keeps an earlier reason.
	s.events.deliver(topicOOM, &eventtypes.TaskOOM{ContainerID: c.id})
	for _, volume := range c.logs {
		if err := mirror.WriteLog(volume.Source, []byte(reason)); err != nil {
			log.L.WithError(err).Warn("write the termination log")
		}
	}
	return reason
}

// bringBackLogs copies termination logs back to where the kubelet reads them.
func (s *Service) bringBackLogs(c *container) {
	guest, err := s.sandbox.Guest()
	if err != nil {
		return // the machine is gone, and the log with it
	}
	for _, volume := range c.logs {
		ctx, cancel := s.sandbox.Call(context.Background())
		answer, err := guest.GetFile(ctx, &guestv1.GetFileRequest{VolumeId: volume.ID, Path: mirror.FileName, MaxBytes: mirror.MaxLog})
		cancel()
		if err != nil {
			// A container may have removed its own file.
			log.L.WithError(sandbox.GuestError(err)).Info("no termination log came back")
			continue
		}
		if err := mirror.WriteLog(volume.Source, answer.GetData()); err != nil {
			log.L.WithError(err).Warn("write the termination log")
		}
	}
}

// Wait blocks until a process has exited.
func (s *Service) Wait(ctx context.Context, r *api.WaitRequest) (*api.WaitResponse, error) {
	_, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	exit, err := p.wait(ctx)
	if err != nil {
		return nil, err
	}
	return &api.WaitResponse{ExitStatus: exit.Code, ExitedAt: stamp(exit.At)}, nil
}

// Kill sends a signal. A container that was never started is marked as exited.
func (s *Service) Kill(ctx context.Context, r *api.KillRequest) error {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return err
	}
	switch status, _ := p.now(); status {
	case created:
		if signal := unix.Signal(r.GetSignal()); signal == unix.SIGKILL || signal == unix.SIGTERM {
			s.finish(c, p, sandbox.Exit{Code: 128 + r.GetSignal(), At: time.Now()})
			return nil
		}
		return fmt.Errorf("the process was not started: %w", errdefs.ErrFailedPrecondition)
	case stopped, deleted:
		return fmt.Errorf("the process has exited: %w", errdefs.ErrNotFound)
	}
	if p.probe != nil {
		p.probe.kill()
		return nil
	}
	guest, err := s.sandbox.Guest()
	if err != nil {
		return fmt.Errorf("%w: %w", err, errdefs.ErrNotFound) // gone, as it was to be
	}
	if p.exec == "" && unix.Signal(r.GetSignal()) == unix.SIGKILL {
		s.doom(p)
	}
	ctx, cancel := s.sandbox.Call(ctx)
	defer cancel()
	_, err = guest.Signal(ctx, &guestv1.SignalRequest{Id: c.id, ExecId: p.exec, Signal: r.GetSignal(), All: r.GetAll()})
	if err != nil && s.sandbox.Live().Err() != nil {
		return fmt.Errorf("the pod's machine is gone: %w", errdefs.ErrNotFound)
	}
	return sandbox.GuestError(err)
}

// doom ensures that a container terminates: containerd stops a pod's machine only
// once its containers have exited, and only the guest reports that.
func (s *Service) doom(p *process) {
	p.doomed.Do(func() {
		s.waiters.Go(func() {
			select {
			case <-p.exited:
			case <-s.sandbox.Live().Done():
			case <-time.After(s.patience):
				s.sandbox.Fail(fmt.Errorf("container %s did not end within %s of SIGKILL", p.container, s.patience))
			}
		})
	})
}

// Delete forgets an exited process.
func (s *Service) Delete(ctx context.Context, r *api.DeleteRequest) (*api.DeleteResponse, error) {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	status, exit := p.now()
	switch {
	case status == starting || status == running:
		return nil, fmt.Errorf("the process still runs: %w", errdefs.ErrFailedPrecondition)
	case status == created:
		exit = sandbox.Exit{At: time.Now()}
		s.finish(c, p, exit)
	case p.ran():
		p.drain(ctx)
	}
	if guest, err := s.sandbox.Guest(); err == nil && p.probe == nil {
		call, cancel := s.sandbox.Call(ctx)
		_, err := guest.Delete(call, &guestv1.ProcessRequest{Id: c.id, ExecId: p.exec})
		cancel()
		if fault := sandbox.GuestError(err); fault != nil && !errdefs.IsNotFound(fault) && s.sandbox.Live().Err() == nil {
			return nil, fmt.Errorf("delete: %w", fault)
		}
	}
	p.closeStreams()
	s.forget(ctx, c, p)
	if p.exec == "" {
		s.events.send(topicDelete, &eventtypes.TaskDelete{
			ContainerID: c.id, ID: c.id, Pid: s.pid(), ExitStatus: exit.Code, ExitedAt: stamp(exit.At),
		})
	}
	return &api.DeleteResponse{Pid: s.pid(), ExitStatus: exit.Code, ExitedAt: stamp(exit.At)}, nil
}

// forget drops a deleted process and, with a container, its resources.
func (s *Service) forget(ctx context.Context, c *container, p *process) {
	s.mu.Lock()
	if p.exec != "" {
		delete(c.execs, p.exec)
		s.mu.Unlock()
		return
	}
	gone := s.containers[c.id] != c
	delete(s.containers, c.id)
	execs := c.execs
	c.execs = map[string]*process{}
	s.mu.Unlock()
	if gone {
		return // a second Delete at the same time
	}
	for _, exec := range execs {
		exec.closeStreams()
	}
	call, cancel := s.sandbox.Call(ctx)
	defer cancel()
	if err := s.release(call, c); err != nil {
		log.G(ctx).WithError(err).Warn("release the container's disks")
	}
}

// Connect returns which processes serve a task.
func (s *Service) Connect(string) *api.ConnectResponse {
	return &api.ConnectResponse{ShimPid: uint32(os.Getpid()), TaskPid: s.pid()}
}

// Shutdown is containerd's farewell after a task's Delete; it is meant for the
// whole shim only when it names the sandbox.
func (s *Service) Shutdown(id string) {
	if id == s.sandbox.ID() {
		s.shutdown()
	}
}

// Drain waits until every process's exit has been reported, after the machine's exit.
func (s *Service) Drain() { s.waiters.Wait() }
