// SPDX-License-Identifier: Apache-2.0

// Package service answers the host: it is the Guest service over the packages
// that do the work, and the handler of the channel's streams.
package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/guest/boot"
	"hypernetes.org/runtime/internal/guest/container"
	"hypernetes.org/runtime/internal/guest/forward"
	"hypernetes.org/runtime/internal/guest/network"
	"hypernetes.org/runtime/internal/guest/pressure"
	"hypernetes.org/runtime/internal/guest/probe"
	"hypernetes.org/runtime/internal/guest/reaper"
	"hypernetes.org/runtime/internal/guest/scratch"
	"hypernetes.org/runtime/internal/guest/services"
	"hypernetes.org/runtime/internal/guest/volume"
)

// maxProbes run at a time, of all containers.
const maxProbes = 64

// Service is the guest. Streams are accepted at once; calls wait until Run is
// called because the system is up.
type Service struct {
	ready chan struct{}
	rpc   chan net.Conn

	probes     chan struct{}
	volumes    *volume.Set
	containers *container.Set
	services   *services.Programmer
}

// New returns a service that is not ready yet.
func New() *Service {
	return &Service{
		ready: make(chan struct{}), rpc: make(chan net.Conn, 1), probes: make(chan struct{}, maxProbes),
		services: services.NewProgrammer(boot.LoadServices),
	}
}

// Run makes the service ready and answers calls until the connection ends.
func (s *Service) Run(ctx context.Context, reaper *reaper.Reaper) error {
	disks := scratch.New()
	s.volumes = volume.NewSet(volume.Dirs{
		Files: boot.FilesDir, Empty: boot.EmptyDirs, Memory: boot.MemoryDir, Shared: boot.SharedDir,
	}, disks)
	var err error
	s.containers, err = container.NewSet(container.Dirs{
		State: boot.StateDir, Scratch: boot.WritableDir, Shared: boot.SharedDir, Cgroup: boot.CgroupDir,
	}, reaper, s.volumes, disks, boot.LoadNetfilter)
	if err != nil {
		return err
	}
	go disks.Trim(ctx) // as long as the guest answers
	go func() {
		if err := pressure.Watch(boot.PodCgroup, s.containers.EndGreediest); err != nil {
			boot.Complain(err)
		}
	}()
	close(s.ready)
	server, err := ttrpc.NewServer()
	if err != nil {
		return fmt.Errorf("create the RPC server: %w", err)
	}
	guestv1.RegisterGuestService(server, s)
	select {
	case conn := <-s.rpc:
		return server.Serve(ctx, &oneConn{conn: conn})
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Accept decides on a stream of the host.
func (s *Service) Accept(header channel.Header) (channel.Status, func(net.Conn)) {
	switch header.Kind {
	case channel.KindRPC:
		return channel.StatusAccepted, func(conn net.Conn) {
			select {
			case s.rpc <- conn:
			default: // one is enough
				_ = conn.Close()
			}
		}
	case channel.KindIO:
		<-s.ready
		return s.containers.Attach(header)
	case channel.KindForward:
		<-s.ready
		return forward.Dial(header.Port)
	default:
		return channel.StatusRefused, nil
	}
}

// Configure sets up what the pod shares.
func (s *Service) Configure(_ context.Context, request *guestv1.ConfigureRequest) (*guestv1.ConfigureResponse, error) {
	if err := boot.Grow(); err != nil {
		return nil, failure(err)
	}
	if request.GetTimeUnixNano() != 0 {
		now := unix.NsecToTimespec(request.GetTimeUnixNano())
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
			return nil, failure(fmt.Errorf("set the clock: %w", err))
		}
	}
	if request.GetHostname() != "" {
		if err := unix.Sethostname([]byte(request.GetHostname())); err != nil {
			return nil, failure(fmt.Errorf("set the host name: %w", err))
		}
	}
	if err := network.Configure(request.GetInterfaces()); err != nil {
		return nil, failure(err)
	}
	// After the interfaces, whose own parameters exist only then.
	if err := network.Sysctls(request.GetSysctls()); err != nil {
		return nil, failure(err)
	}
	if request.GetServices() != nil {
		if err := s.setServices(request.GetServices()); err != nil {
			return nil, failure(err)
		}
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, failure(fmt.Errorf("read the kernel's name: %w", err))
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, failure(fmt.Errorf("read the boot ID: %w", err))
	}
	return &guestv1.ConfigureResponse{
		KernelRelease: unix.ByteSliceToString(name.Release[:]),
		BootId:        strings.TrimSpace(string(bootID)),
	}, nil
}

// SetServices implements the Guest service.
func (s *Service) SetServices(_ context.Context, request *guestv1.Services) (*guestv1.Empty, error) {
	return empty(s.setServices(request))
}

func (s *Service) setServices(sent *guestv1.Services) error {
	table, err := services.Parse(sent)
	if err != nil {
		return err
	}
	return s.services.Set(table)
}

// CreateVolume implements the Guest service.
func (s *Service) CreateVolume(_ context.Context, request *guestv1.CreateVolumeRequest) (*guestv1.Empty, error) {
	return empty(s.volumes.Create(request))
}

// PutFiles implements the Guest service.
func (s *Service) PutFiles(_ context.Context, request *guestv1.PutFilesRequest) (*guestv1.Empty, error) {
	return empty(s.volumes.Put(request))
}

// GetFile implements the Guest service.
func (s *Service) GetFile(_ context.Context, request *guestv1.GetFileRequest) (*guestv1.GetFileResponse, error) {
	data, truncated, err := s.volumes.Get(request.GetVolumeId(), request.GetPath(), request.GetMaxBytes())
	if err != nil {
		return nil, failure(err)
	}
	return &guestv1.GetFileResponse{Data: data, Truncated: truncated}, nil
}

// CreateContainer implements the Guest service.
func (s *Service) CreateContainer(_ context.Context, request *guestv1.CreateContainerRequest) (*guestv1.Empty, error) {
	for _, wanted := range request.GetVolumes() {
		if err := s.putVolume(wanted); err != nil {
			return nil, failure(err)
		}
	}
	return empty(s.containers.Create(request))
}

func (s *Service) putVolume(wanted *guestv1.Volume) error {
	if err := s.volumes.Create(wanted.GetCreate()); err != nil {
		return err
	}
	for _, files := range wanted.GetFiles() {
		if err := s.volumes.Put(files); err != nil {
			return err
		}
	}
	return nil
}

// Exec implements the Guest service.
func (s *Service) Exec(_ context.Context, request *guestv1.ExecRequest) (*guestv1.Empty, error) {
	return empty(s.containers.Exec(request))
}

// Start implements the Guest service.
func (s *Service) Start(_ context.Context, request *guestv1.ProcessRequest) (*guestv1.StartResponse, error) {
	pid, err := s.containers.Start(request.GetId(), request.GetExecId())
	if err != nil {
		return nil, failure(err)
	}
	return &guestv1.StartResponse{Pid: uint32(pid)}, nil
}

// Wait implements the Guest service.
func (s *Service) Wait(ctx context.Context, request *guestv1.ProcessRequest) (*guestv1.WaitResponse, error) {
	response, err := s.containers.Wait(ctx, request.GetId(), request.GetExecId())
	if err != nil {
		return nil, failure(err)
	}
	return response, nil
}

// Signal implements the Guest service.
func (s *Service) Signal(_ context.Context, request *guestv1.SignalRequest) (*guestv1.Empty, error) {
	return empty(s.containers.Signal(request.GetId(), request.GetExecId(), request.GetSignal(), request.GetAll()))
}

// Delete implements the Guest service.
func (s *Service) Delete(_ context.Context, request *guestv1.ProcessRequest) (*guestv1.DeleteResponse, error) {
	response, err := s.containers.Delete(request.GetId(), request.GetExecId())
	if err != nil {
		return nil, failure(err)
	}
	return response, nil
}

// ResizePty implements the Guest service.
func (s *Service) ResizePty(_ context.Context, request *guestv1.ResizePtyRequest) (*guestv1.Empty, error) {
	return empty(s.containers.ResizePty(request.GetId(), request.GetExecId(), request.GetWidth(), request.GetHeight()))
}

// CloseStdin implements the Guest service.
func (s *Service) CloseStdin(_ context.Context, request *guestv1.ProcessRequest) (*guestv1.Empty, error) {
	return empty(s.containers.CloseStdin(request.GetId(), request.GetExecId()))
}

// Update implements the Guest service.
func (s *Service) Update(_ context.Context, request *guestv1.UpdateRequest) (*guestv1.Empty, error) {
	return empty(s.containers.Update(request.GetId(), request.GetResources()))
}

// Stats implements the Guest service.
func (s *Service) Stats(_ context.Context, request *guestv1.ContainerRequest) (*guestv1.StatsResponse, error) {
	stats, err := s.containers.Stats(request.GetId())
	if err != nil {
		return nil, failure(err)
	}
	devices, err := network.Devices()
	if err != nil {
		return nil, failure(err)
	}
	for _, d := range devices {
		stats.Interfaces = append(stats.Interfaces, &guestv1.StatsResponse_InterfaceStats{
			Name:    d.Name,
			RxBytes: d.RxBytes, RxPackets: d.RxPackets, RxErrors: d.RxErrors, RxDropped: d.RxDropped,
			TxBytes: d.TxBytes, TxPackets: d.TxPackets, TxErrors: d.TxErrors, TxDropped: d.TxDropped,
		})
	}
	return stats, nil
}

// Pids implements the Guest service.
func (s *Service) Pids(_ context.Context, request *guestv1.ContainerRequest) (*guestv1.PidsResponse, error) {
	pids, err := s.containers.Pids(request.GetId())
	if err != nil {
		return nil, failure(err)
	}
	return &guestv1.PidsResponse{Pids: pids}, nil
}

// Probe implements the Guest service.
func (s *Service) Probe(ctx context.Context, request *guestv1.ProbeRequest) (*guestv1.ProbeResponse, error) {
	select {
	case s.probes <- struct{}{}:
		defer func() { <-s.probes }()
	default:
		return nil, status.Errorf(codes.ResourceExhausted, "%d probes are running", maxProbes)
	}
	result := probe.Run(ctx, request.GetAddress(), request.GetArguments())
	return &guestv1.ProbeResponse{ExitCode: uint32(result.Code), Output: result.Output}, nil
}

// Shutdown implements the Guest service.
func (s *Service) Shutdown(_ context.Context, request *guestv1.ShutdownRequest) (*guestv1.Empty, error) {
	s.containers.Shutdown(time.Duration(request.GetGraceMilliseconds()) * time.Millisecond)
	boot.PowerOff()
	return &guestv1.Empty{}, nil
}

func empty(err error) (*guestv1.Empty, error) {
	if err != nil {
		return nil, failure(err)
	}
	return &guestv1.Empty{}, nil
}

// failure adds the code by which the host distinguishes errors.
func failure(err error) error {
	code := codes.Unknown
	switch {
	case errors.Is(err, container.ErrNotFound), errors.Is(err, volume.ErrNotFound):
		code = codes.NotFound
	case errors.Is(err, container.ErrExists):
		code = codes.AlreadyExists
	case errors.Is(err, container.ErrInvalid), errors.Is(err, volume.ErrInvalid), errors.Is(err, services.ErrInvalid):
		code = codes.InvalidArgument
	case errors.Is(err, container.ErrState):
		code = codes.FailedPrecondition
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	}
	return status.Error(code, err.Error())
}
