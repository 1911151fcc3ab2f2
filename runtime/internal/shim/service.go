// SPDX-License-Identifier: Apache-2.0

// Package shim serves containerd: the sandbox and task services of one pod, and the
// commands that start their process and clean up after it.
package shim

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	sandboxapi "github.com/containerd/containerd/api/runtime/sandbox/v1"
	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/log"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/task"
	"hypernetes.org/runtime/internal/vmstate"
)

// specURL is containerd's name for an OCI specification in JSON.
const specURL = "types.containerd.io/opencontainers/runtime-spec/1/Spec"

// The states CRI knows (PodSandboxState).
const (
	stateReady    = "SANDBOX_READY"
	stateNotReady = "SANDBOX_NOTREADY"
)

// Service answers containerd for one pod.
type Service struct {
	ctx       context.Context // ends with the process
	id        string          // of the sandbox this process was started for
	host      func() (sandbox.Host, error)
	publisher task.Publisher
	exit      func() // ends the process

	mu       sync.Mutex
	creation *creation // nil until the sandbox is asked for, and after a failure
	sandbox  *sandbox.Sandbox
	tasks    *task.Service
	started  bool // StartSandbox has returned to a caller that was there
}

// creation is an attempt to make the sandbox.
type creation struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has succeeded or left nothing
}

// Times after which a shim without a sandbox exits. containerd's own clean-up may not
// reach it, because it is canceled together with the request.
const (
	creationTime = time.Minute      // from its start until it is asked for one
	failureTime  = 10 * time.Second // from a failure, for containerd to clean up first
)

// New creates the service. The node is examined when the sandbox is created.
func New(ctx context.Context, id string, host func() (sandbox.Host, error), publisher task.Publisher, exit func()) *Service {
	s := &Service{ctx: ctx, id: id, host: host, publisher: publisher, exit: exit}
	s.endWithoutSandbox(creationTime)
	return s
}

// endWithoutSandbox terminates the process unless there is, or may still be, a sandbox.
func (s *Service) endWithoutSandbox(after time.Duration) {
	time.AfterFunc(after, func() {
		s.mu.Lock()
		asked := s.creation != nil // its failure sets the next time
		s.mu.Unlock()
		if asked {
			return
		}
		log.L.Warn("no sandbox was made: the shim ends")
		s.exit()
	})
}

// RegisterTTRPC implements containerd's shim.TTRPCService.
func (s *Service) RegisterTTRPC(server *ttrpc.Server) error {
	sandboxapi.RegisterTTRPCSandboxService(server, s)
	taskapi.RegisterTTRPCTaskService(server, (*tasks)(s))
	return nil
}

var _ sandboxapi.TTRPCSandboxService = (*Service)(nil)

func (s *Service) current() (*sandbox.Sandbox, *task.Service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sandbox == nil {
		return nil, nil, fmt.Errorf("the sandbox was not created: %w", errdefs.ErrNotFound)
	}
	return s.sandbox, s.tasks, nil
}

// CreateSandbox starts the pod's machine.
func (s *Service) CreateSandbox(ctx context.Context, r *sandboxapi.CreateSandboxRequest) (*sandboxapi.CreateSandboxResponse, error) {
	if err := s.create(ctx, r); err != nil {
		log.G(ctx).WithError(err).Error("create the sandbox")
		return nil, errgrpc.ToGRPC(err)
	}
	return &sandboxapi.CreateSandboxResponse{}, nil
}

func (s *Service) create(ctx context.Context, r *sandboxapi.CreateSandboxRequest) error {
	var pod criruntime.PodSandboxConfig
	if r.GetSandboxID() != s.id {
		return fmt.Errorf("this shim is for sandbox %q, not %q: %w", s.id, r.GetSandboxID(), errdefs.ErrInvalidArgument)
	}
	if r.GetOptions() == nil {
		return fmt.Errorf("the request has no PodSandboxConfig: %w", errdefs.ErrInvalidArgument)
	}
	// The type's name in the request is containerd's affair; a wrong one has no uid.
	if err := unmarshal(r.GetOptions().GetValue(), &pod); err != nil {
		return fmt.Errorf("parse the PodSandboxConfig: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	host, err := s.host()
	if err != nil {
		return err
	}
	ctx, attempt, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer attempt.cancel()
	// Not under the lock: the monitor may be silent for long, and meanwhile the
	// sandbox can be queried and shut down.
	made, err := sandbox.Create(ctx, host, sandbox.Request{ID: r.GetSandboxID(), NetnsPath: r.GetNetnsPath(), Pod: &pod})
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(attempt.done)
	if err != nil {
		s.creation = nil
		s.endWithoutSandbox(failureTime)
		return err
	}
	s.sandbox = made
	s.tasks = task.New(s.ctx, made, s.publisher, s.exit)
	return nil
}

// begin ensures that there is one attempt at a time, and none after success.
func (s *Service) begin(ctx context.Context) (context.Context, *creation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.creation != nil {
		return nil, nil, fmt.Errorf("sandbox %s: %w", s.id, errdefs.ErrAlreadyExists)
	}
	s.creation = &creation{done: make(chan struct{})}
	ctx, s.creation.cancel = context.WithCancel(ctx)
	return ctx, s.creation, nil
}

// settle ends an attempt that is under way and returns when it has left nothing.
func (s *Service) settle(ctx context.Context) error {
	s.mu.Lock()
	attempt := s.creation
	if attempt == nil {
		// None is to come any more.
		s.creation = &creation{cancel: func() {}, done: make(chan struct{})}
		close(s.creation.done)
	}
	s.mu.Unlock()
	if attempt == nil {
		return nil
	}
	attempt.cancel()
	select {
	case <-attempt.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end the creation of the sandbox: %w", ctx.Err())
	}
}

// StartSandbox returns when the guest is ready for containers.
func (s *Service) StartSandbox(ctx context.Context, _ *sandboxapi.StartSandboxRequest) (*sandboxapi.StartSandboxResponse, error) {
	made, _, err := s.current()
	if err == nil {
		err = made.WaitReady(ctx)
	}
	if err == nil {
		// A containerd that was killed meanwhile found the sandbox not ready when it started
		// again, and never asks again: it would refuse each container of a sandbox that the
		// kubelet, which sees our answer, takes for ready. So it stays not ready, and the
		// kubelet makes another.
		err = ctx.Err()
	}
	if err != nil {
		log.G(ctx).WithError(err).Error("start the sandbox")
		return nil, errgrpc.ToGRPC(err)
	}
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	return &sandboxapi.StartSandboxResponse{
		Pid: uint32(made.Pids().Sandbox), CreatedAt: timestamppb.New(made.CreatedAt()),
		// containerd's NRI wants a specification of the sandbox; ours has nothing
		// on the host to specify.
		Spec: &anypb.Any{TypeUrl: specURL, Value: []byte("{}")},
	}, nil
}

// Platform returns what the containers run on.
func (s *Service) Platform(context.Context, *sandboxapi.PlatformRequest) (*sandboxapi.PlatformResponse, error) {
	return &sandboxapi.PlatformResponse{Platform: &types.Platform{OS: "linux", Architecture: architecture()}}, nil
}

// StopSandbox terminates the machine and returns when it is gone.
func (s *Service) StopSandbox(ctx context.Context, r *sandboxapi.StopSandboxRequest) (*sandboxapi.StopSandboxResponse, error) {
	made, _, err := s.current()
	if err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	grace := time.Duration(r.GetTimeoutSecs()) * time.Second
	if grace == 0 {
		grace = time.Minute // the sandbox bounds it
	}
	if err := made.Stop(ctx, grace); err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	return &sandboxapi.StopSandboxResponse{}, nil
}

// WaitSandbox returns when the machine is gone, and why matters only as 0 or not.
func (s *Service) WaitSandbox(ctx context.Context, _ *sandboxapi.WaitSandboxRequest) (*sandboxapi.WaitSandboxResponse, error) {
	made, tasks, err := s.current()
	if err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	select {
	case <-made.Exited():
	case <-ctx.Done():
		return nil, errgrpc.ToGRPC(ctx.Err())
	}
	tasks.Drain() // containers exit before their sandbox does
	exit := made.Exit()
	return &sandboxapi.WaitSandboxResponse{ExitStatus: exit.Code, ExitedAt: timestamppb.New(exit.At)}, nil
}

// SandboxStatus reports whether the machine runs.
func (s *Service) SandboxStatus(_ context.Context, r *sandboxapi.SandboxStatusRequest) (*sandboxapi.SandboxStatusResponse, error) {
	made, _, err := s.current()
	if err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	response := &sandboxapi.SandboxStatusResponse{
		SandboxID: made.ID(), Pid: uint32(made.Pids().Sandbox), State: stateNotReady,
		CreatedAt: timestamppb.New(made.CreatedAt()),
	}
	select {
	case <-made.Exited():
		response.ExitedAt = timestamppb.New(made.Exit().At)
	default:
		if s.isStarted() && made.Ready() {
			response.State = stateReady
		}
	}
	return response, nil
}

func (s *Service) isStarted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// PingSandbox reports that the shim is alive.
func (s *Service) PingSandbox(context.Context, *sandboxapi.PingRequest) (*sandboxapi.PingResponse, error) {
	return &sandboxapi.PingResponse{}, nil
}

// answerTime is how long this process lives on so that its reply is sent.
const answerTime = 50 * time.Millisecond

// ShutdownSandbox terminates the machine, removes its traces and exits this process.
func (s *Service) ShutdownSandbox(ctx context.Context, _ *sandboxapi.ShutdownSandboxRequest) (*sandboxapi.ShutdownSandboxResponse, error) {
	defer time.AfterFunc(answerTime, s.exit)
	if err := s.settle(ctx); err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	if made, _, err := s.current(); err == nil {
		if err := made.Stop(ctx, 0); err != nil {
			return nil, errgrpc.ToGRPC(err)
		}
	}
	return &sandboxapi.ShutdownSandboxResponse{}, nil
}

// SandboxMetrics is not served: the kubelet reads the pod's cgroup itself.
func (s *Service) SandboxMetrics(context.Context, *sandboxapi.SandboxMetricsRequest) (*sandboxapi.SandboxMetricsResponse, error) {
	return nil, errgrpc.ToGRPC(fmt.Errorf("metrics of a sandbox: %w", errdefs.ErrNotImplemented))
}

// updatedResources is the name under which containerd's CRI sends a pod's new
// limits, and their form (internal/cri/server/podsandbox/helpers.go).
const updatedResources = "updated-resources"

type resources struct {
	Resources *criruntime.LinuxContainerResources
}

// UpdateSandbox accepts what containerd only reports (labels, extensions), and
// new limits the machine is large enough for: containers get theirs by Update.
func (s *Service) UpdateSandbox(ctx context.Context, r *sandboxapi.UpdateSandboxRequest) (*sandboxapi.UpdateSandboxResponse, error) {
	made, _, err := s.current()
	if err == nil {
		err = checkUpdate(made, r.GetSandbox().GetExtensions()[updatedResources].GetValue())
	}
	if err != nil {
		log.G(ctx).WithError(err).Warn("update the sandbox")
		return nil, errgrpc.ToGRPC(err)
	}
	return &sandboxapi.UpdateSandboxResponse{}, nil
}

func checkUpdate(made *sandbox.Sandbox, extension []byte) error {
	if extension == nil {
		return nil
	}
	var updated resources
	if err := json.Unmarshal(extension, &updated); err != nil {
		return fmt.Errorf("parse the pod's new limits: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return made.CheckLimits(updated.Resources)
}

// Close terminates the machine and removes its traces. It is called once, when the
// process is about to exit, whatever the cause.
func (s *Service) Close(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err // the traces stay, so that `delete` can finish the work
	}
	if made, tasks, err := s.current(); err == nil {
		if err := made.Stop(ctx, 0); err != nil {
			return err // the traces stay, so that `delete` can finish the work
		}
		tasks.Drain()
	}
	host, err := s.host()
	if err != nil {
		return err
	}
	return vmstate.Clean(ctx, host.Config.VMDir, s.id)
}
