// SPDX-License-Identifier: Apache-2.0

package fakeguest

import (
	"context"
	"strings"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

var _ guestv1.GuestService = (*rpc)(nil)

// rpc keeps the guest's methods apart from the machine's.
type rpc struct{ *Guest }

func empty() (*guestv1.Empty, error) { return &guestv1.Empty{}, nil }

func (g rpc) Configure(_ context.Context, r *guestv1.ConfigureRequest) (*guestv1.ConfigureResponse, error) {
	g.note("Configure")
	g.setServices(r.GetServices())
	return &guestv1.ConfigureResponse{KernelRelease: "fake"}, nil
}

func (g rpc) SetServices(_ context.Context, r *guestv1.Services) (*guestv1.Empty, error) {
	g.note("SetServices")
	g.setServices(r)
	return empty()
}

func (g rpc) CreateVolume(_ context.Context, r *guestv1.CreateVolumeRequest) (*guestv1.Empty, error) {
	g.note("CreateVolume")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Volumes[r.GetId()] = r
	return empty()
}

func (g rpc) PutFiles(context.Context, *guestv1.PutFilesRequest) (*guestv1.Empty, error) {
	g.note("PutFiles")
	return empty()
}

func (g rpc) GetFile(_ context.Context, r *guestv1.GetFileRequest) (*guestv1.GetFileResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &guestv1.GetFileResponse{Data: g.Files[r.GetVolumeId()]}, nil
}

func (g rpc) CreateContainer(_ context.Context, r *guestv1.CreateContainerRequest) (*guestv1.Empty, error) {
	g.note("CreateContainer")
	g.mu.Lock()
	for _, volume := range r.GetVolumes() {
		g.Volumes[volume.GetCreate().GetId()] = volume.GetCreate()
	}
	g.mu.Unlock()
	g.add(r.GetId(), r)
	return empty()
}

func (g rpc) Exec(_ context.Context, r *guestv1.ExecRequest) (*guestv1.Empty, error) {
	g.add(r.GetId()+r.GetExecId(), nil)
	return empty()
}

func (g rpc) Start(_ context.Context, r *guestv1.ProcessRequest) (*guestv1.StartResponse, error) {
	g.hear("Start")
	if _, err := g.process(r); err != nil {
		return nil, err
	}
	return &guestv1.StartResponse{Pid: 1}, nil
}

func (g rpc) Wait(ctx context.Context, r *guestv1.ProcessRequest) (*guestv1.WaitResponse, error) {
	g.hear("Wait")
	process, err := g.process(r)
	if err != nil {
		return nil, err
	}
	select {
	case <-process.exit:
		return process.answer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g rpc) Signal(_ context.Context, r *guestv1.SignalRequest) (*guestv1.Empty, error) {
	g.hear("Signal")
	if !g.IgnoresSignals {
		g.Exit(r.GetId()+r.GetExecId(), killed())
	}
	return empty()
}

func (g rpc) Delete(_ context.Context, r *guestv1.ProcessRequest) (*guestv1.DeleteResponse, error) {
	if _, err := g.process(r); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.processes, r.GetId()+r.GetExecId())
	return &guestv1.DeleteResponse{}, nil
}

func (g rpc) ResizePty(context.Context, *guestv1.ResizePtyRequest) (*guestv1.Empty, error) {
	g.note("ResizePty")
	return empty()
}

func (g rpc) CloseStdin(context.Context, *guestv1.ProcessRequest) (*guestv1.Empty, error) {
	g.note("CloseStdin")
	return empty()
}

func (g rpc) Update(_ context.Context, r *guestv1.UpdateRequest) (*guestv1.Empty, error) {
	g.note("Update " + string(r.GetResources()))
	return empty()
}

func (g rpc) Stats(context.Context, *guestv1.ContainerRequest) (*guestv1.StatsResponse, error) {
	g.hear("Stats")
	return &guestv1.StatsResponse{Memory: &guestv1.StatsResponse_Memory{Usage: 4711}}, nil
}

func (g rpc) Pids(context.Context, *guestv1.ContainerRequest) (*guestv1.PidsResponse, error) {
	return &guestv1.PidsResponse{Pids: []uint32{1}}, nil
}

// Probe answers with the arguments and address it was given, and the exit code of ProbeCode.
func (g rpc) Probe(ctx context.Context, r *guestv1.ProbeRequest) (*guestv1.ProbeResponse, error) {
	g.note("Probe")
	if g.HoldProbes {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &guestv1.ProbeResponse{ExitCode: g.ProbeCode, Output: strings.Join(append(r.GetArguments(), r.GetAddress()), " ")}, nil
}

// Shutdown powers the machine off.
func (g rpc) Shutdown(context.Context, *guestv1.ShutdownRequest) (*guestv1.Empty, error) {
	g.note("Shutdown")
	defer g.Kill()
	return empty()
}
