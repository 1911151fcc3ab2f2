// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"sync"
	"time"

	cgroups "github.com/containerd/cgroups/v3/cgroup2/stats"
	api "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/types/known/anypb"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/sandbox"
)

// statsPatience is how long a guest may hold up containerd with its statistics:
// containerd asks the containers of all pods one after another. A guest under
// software emulation answers in a fraction of it. Once it was used up, no
// container of the pod is waited for until the guest has answered again.
const statsPatience = time.Second

// samples are a container's statistics as the guest last reported them.
type samples struct {
	mu      sync.Mutex
	last    *anypb.Any
	current *refresh // nil when none is in progress
}

// refresh is one request to the guest.
type refresh struct {
	since time.Time
	done  chan struct{} // closed when err is set
	err   error
}

// Stats reads a container's use of the machine: of now, or the last known if the
// guest is slow. A silent guest is waited for once, not at every call and not for
// each of its containers.
func (s *Service) Stats(ctx context.Context, id string) (*api.StatsResponse, error) {
	c, _, err := s.find(id, "")
	if err != nil {
		return nil, err
	}
	guest, err := s.sandbox.Guest()
	if err != nil {
		return nil, err
	}
	asked := c.samples.refresh(func() (*anypb.Any, error) {
		ctx, cancel := s.sandbox.Call(context.WithoutCancel(ctx)) // the answer is for later calls too
		defer cancel()
		answer, err := guest.Stats(ctx, &guestv1.ContainerRequest{Id: c.id})
		if err != nil {
			return nil, sandbox.GuestError(err)
		}
		s.silent.Store(false)
		return typeurl.MarshalAnyToProto(metrics(answer))
	})
	patience := statsPatience - time.Since(asked.since)
	if s.silent.Load() {
		patience = 0
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-asked.done:
		if asked.err != nil {
			return nil, asked.err
		}
	case <-late.C:
		s.silent.Store(true)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if last := c.samples.known(); last != nil {
		return &api.StatsResponse{Stats: last}, nil
	}
	return nil, fmt.Errorf("the guest has not reported statistics of container %s yet: %w", c.id, errdefs.ErrNotFound)
}

// refresh asks the guest unless a request is in progress. It ends with the call that ask makes.
func (s *samples) refresh(ask func() (*anypb.Any, error)) *refresh {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		return s.current
	}
	made := &refresh{since: time.Now(), done: make(chan struct{})}
	s.current = made
	go func() {
		found, err := ask()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.current, made.err = nil, err; err == nil {
			s.last = found
		}
		close(made.done)
	}()
	return made
}

func (s *samples) known() *anypb.Any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// metrics converts the guest's numbers to the form that containerd's CRI reads. They
// are the tenant's claims: good for its own dashboards, not for billing.
func metrics(stats *guestv1.StatsResponse) *cgroups.Metrics {
	cpu, memory, processes := stats.GetCpu(), stats.GetMemory(), stats.GetProcesses()
	return &cgroups.Metrics{
		Pids: &cgroups.PidsStat{Current: processes.GetCurrent(), Limit: processes.GetLimit()},
		CPU: &cgroups.CPUStat{
			UsageUsec: cpu.GetUsage(), UserUsec: cpu.GetUser(), SystemUsec: cpu.GetSystem(),
			NrPeriods: cpu.GetPeriods(), NrThrottled: cpu.GetThrottledPeriods(), ThrottledUsec: cpu.GetThrottled(),
		},
		Memory: &cgroups.MemoryStat{
			Usage: memory.GetUsage(), UsageLimit: memory.GetLimit(), Anon: memory.GetAnonymous(), File: memory.GetFile(),
			InactiveFile: memory.GetInactiveFile(), KernelStack: memory.GetKernelStack(), Slab: memory.GetSlab(),
			Pgfault: memory.GetPageFaults(), Pgmajfault: memory.GetMajorPageFaults(), SwapUsage: memory.GetSwapUsage(),
		},
		MemoryEvents: &cgroups.MemoryEvents{Oom: memory.GetOomEvents(), OomKill: memory.GetOomKills()},
	}
}
