// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/errdefs"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/stdio"
)

// probePath is the command into which an admission policy turns HTTP, TCP and gRPC
// probes and HTTP hooks (hypernetes/kubernetes/admission/probes.py). It is answered by
// hyper-guest: no process is started, and what a container has at this path is not used.
const probePath = "/.hypernetes/probe"

const (
	timeoutOption = "--timeout="
	// answerTime is how long after a probe's time its answer is waited for.
	answerTime = 5 * time.Second

	maxProbeArguments = 64 << 10 // bytes, with one for each argument
	maxProbeOutput    = 10 << 10 // what the kubelet reads of it
)

// probing is an exec of probePath.
type probing struct {
	arguments []string
	outputs   map[uint8]net.Conn // the process's ends of its standard streams
	killed    context.Context
	kill      context.CancelFunc
}

// probeOf returns the probe that a command is, or nil.
func probeOf(command []string) (*probing, error) {
	if len(command) == 0 || command[0] != probePath {
		return nil, nil
	}
	size := 0
	for _, argument := range command {
		size += len(argument) + 1
	}
	if size > maxProbeArguments {
		return nil, fmt.Errorf("a probe's arguments have %d bytes: %w", size, errdefs.ErrInvalidArgument)
	}
	p := &probing{arguments: command[1:], outputs: map[uint8]net.Conn{}}
	p.killed, p.kill = context.WithCancel(context.Background())
	return p, nil
}

// open gives the process a standard stream whose other end is in this process.
func (p *probing) open(_ context.Context, fd uint8) (net.Conn, error) {
	near, far := net.Pipe()
	p.outputs[fd] = far
	return near, nil
}

// end closes the process's streams, after its last words.
func (p *probing) end(words string) {
	if output := p.outputs[1]; output != nil && words != "" {
		_, _ = output.Write([]byte(words)) // containerd may have closed it
	}
	for _, conn := range p.outputs {
		_ = conn.Close()
	}
	p.kill()
}

// patience is how long the guest may take; 0: as long as the container runs.
func (p *probing) patience() time.Duration {
	for _, argument := range p.arguments {
		if text, found := strings.CutPrefix(argument, timeoutOption); found {
			if seconds, err := strconv.ParseUint(text, 10, 31); err == nil && seconds > 0 {
				return time.Duration(seconds)*time.Second + answerTime
			}
		}
	}
	return 0
}

func (s *Service) registerProbe(ctx context.Context, p *process) error {
	streams, err := stdio.Open(ctx, p.paths, p.probe.open)
	if err != nil {
		return err
	}
	p.attach(streams)
	return nil
}

// runProbe returns when the probe is done. containerd counts an exec's time from the end
// of its Start, so that the guest alone decides when a probe's time is up, and can say so.
func (s *Service) runProbe(ctx context.Context, c *container, p *process) {
	p.settle(running)
	s.events.send(topicExecStarted, &eventtypes.TaskExecStarted{ContainerID: c.id, ExecID: p.exec, Pid: s.pid()})
	code, words := s.probe(ctx, c, p)
	p.probe.end(words)
	s.finish(c, p, sandbox.Exit{Code: code, At: time.Now()})
}

func (s *Service) probe(ctx context.Context, c *container, p *process) (code uint32, words string) {
	guest, err := s.sandbox.Guest()
	if err != nil {
		return lostCode, err.Error()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if patience := p.probe.patience(); patience > 0 {
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	go func() { // it ends with the call
		select {
		case <-p.probe.killed.Done():
		case <-c.process.exited:
		case <-s.sandbox.Live().Done():
		case <-ctx.Done():
		}
		cancel()
	}()
	answer, err := guest.Probe(ctx, &guestv1.ProbeRequest{Arguments: p.probe.arguments, Address: s.sandbox.Address()})
	switch {
	case err == nil:
		output := answer.GetOutput()
		return answer.GetExitCode() & 0xff, output[:min(len(output), maxProbeOutput)]
	case ctx.Err() == context.Canceled:
		return killedCode, ""
	default:
		return lostCode, sandbox.GuestError(err).Error()
	}
}
