// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"context"
	"fmt"
	"runtime"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"hypernetes.org/runtime/internal/task"
)

// tasks is the task service's API: it finds the pod's tasks and converts errors
// to containerd's.
type tasks Service

var _ taskapi.TTRPCTaskService = (*tasks)(nil)

// with runs call on the pod's tasks.
func with[T any](s *tasks, call func(*task.Service) (*T, error)) (*T, error) {
	_, found, err := (*Service)(s).current()
	if err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	answer, err := call(found)
	if err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	return answer, nil
}

// done is like with, for calls that return nothing.
func done(s *tasks, call func(*task.Service) error) (*emptypb.Empty, error) {
	return with(s, func(found *task.Service) (*emptypb.Empty, error) { return &emptypb.Empty{}, call(found) })
}

func (s *tasks) Create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.CreateTaskResponse, error) { return t.Create(ctx, r) })
}

func (s *tasks) Start(ctx context.Context, r *taskapi.StartRequest) (*taskapi.StartResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.StartResponse, error) { return t.Start(ctx, r) })
}

func (s *tasks) Delete(ctx context.Context, r *taskapi.DeleteRequest) (*taskapi.DeleteResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.DeleteResponse, error) { return t.Delete(ctx, r) })
}

func (s *tasks) Wait(ctx context.Context, r *taskapi.WaitRequest) (*taskapi.WaitResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.WaitResponse, error) { return t.Wait(ctx, r) })
}

func (s *tasks) State(_ context.Context, r *taskapi.StateRequest) (*taskapi.StateResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.StateResponse, error) { return t.State(r.GetID(), r.GetExecID()) })
}

func (s *tasks) Pids(_ context.Context, r *taskapi.PidsRequest) (*taskapi.PidsResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.PidsResponse, error) { return t.Pids(r.GetID()) })
}

func (s *tasks) Stats(ctx context.Context, r *taskapi.StatsRequest) (*taskapi.StatsResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.StatsResponse, error) { return t.Stats(ctx, r.GetID()) })
}

func (s *tasks) Connect(_ context.Context, r *taskapi.ConnectRequest) (*taskapi.ConnectResponse, error) {
	return with(s, func(t *task.Service) (*taskapi.ConnectResponse, error) { return t.Connect(r.GetID()), nil })
}

func (s *tasks) Kill(ctx context.Context, r *taskapi.KillRequest) (*emptypb.Empty, error) {
	return done(s, func(t *task.Service) error { return t.Kill(ctx, r) })
}

func (s *tasks) Exec(ctx context.Context, r *taskapi.ExecProcessRequest) (*emptypb.Empty, error) {
	return done(s, func(t *task.Service) error { return t.Exec(ctx, r) })
}

func (s *tasks) ResizePty(ctx context.Context, r *taskapi.ResizePtyRequest) (*emptypb.Empty, error) {
	return done(s, func(t *task.Service) error { return t.ResizePty(ctx, r) })
}

func (s *tasks) CloseIO(_ context.Context, r *taskapi.CloseIORequest) (*emptypb.Empty, error) {
	return done(s, func(t *task.Service) error { return t.CloseIO(r) })
}

func (s *tasks) Update(ctx context.Context, r *taskapi.UpdateTaskRequest) (*emptypb.Empty, error) {
	return done(s, func(t *task.Service) error { return t.Update(ctx, r) })
}

// Shutdown never fails: without a sandbox there is nothing to keep the process for.
func (s *tasks) Shutdown(_ context.Context, r *taskapi.ShutdownRequest) (*emptypb.Empty, error) {
	if _, found, err := (*Service)(s).current(); err == nil {
		found.Shutdown(r.GetID())
	} else {
		s.exit()
	}
	return &emptypb.Empty{}, nil
}

func (s *tasks) Pause(context.Context, *taskapi.PauseRequest) (*emptypb.Empty, error) {
	return nil, unsupported("pausing a container")
}

func (s *tasks) Resume(context.Context, *taskapi.ResumeRequest) (*emptypb.Empty, error) {
	return nil, unsupported("resuming a container")
}

func (s *tasks) Checkpoint(context.Context, *taskapi.CheckpointTaskRequest) (*emptypb.Empty, error) {
	return nil, unsupported("making a checkpoint")
}

func unsupported(what string) error {
	return errgrpc.ToGRPC(fmt.Errorf("%s: %w", what, errdefs.ErrNotImplemented))
}

func unmarshal(data []byte, message proto.Message) error { return proto.Unmarshal(data, message) }

func architecture() string { return runtime.GOARCH }
