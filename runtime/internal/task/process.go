// SPDX-License-Identifier: Apache-2.0

// Package task serves containerd's task API for the containers of one sandbox.
package task

import (
	"context"
	"fmt"
	"sync"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"

	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/stdio"
)

// status of a process; it never decreases.
type status int

const (
	created status = iota
	starting
	running
	stopped
	deleted
)

// api converts a status to containerd's.
func (s status) api() tasktypes.Status {
	switch s {
	case created, starting:
		return tasktypes.Status_CREATED
	case running:
		return tasktypes.Status_RUNNING
	case stopped, deleted:
		return tasktypes.Status_STOPPED
	}
	return tasktypes.Status_UNKNOWN
}

// process is a container's first process (exec is empty) or an exec.
type process struct {
	container, exec string
	paths           stdio.Paths
	probe           *probing // nil unless it is an exec that is a probe

	mu      sync.Mutex
	streams *stdio.Streams // nil until they are open: a process is found before
	status  status
	exit    sandbox.Exit
	exited  chan struct{} // closed with stopped
	started bool          // it ran, or may have
	doomed  sync.Once     // the machine is killed if the process does not exit
}

func newProcess(container, exec string, paths stdio.Paths) *process {
	return &process{container: container, exec: exec, paths: paths, exited: make(chan struct{})}
}

// now returns status and exit.
func (p *process) now() (status, sandbox.Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status, p.exit
}

// begin changes created to starting, for one caller.
func (p *process) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status != created {
		return fmt.Errorf("the process has already been started: %w", errdefs.ErrFailedPrecondition)
	}
	p.status = starting
	return nil
}

// settle ends starting, one way or the other.
func (p *process) settle(to status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status == starting {
		p.status = to
		p.started = to == running
	}
}

// ran reports whether there may be output.
func (p *process) ran() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

// finish records the exit; only the first counts.
func (p *process) finish(exit sandbox.Exit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status >= stopped {
		return false
	}
	p.status, p.exit = stopped, exit
	close(p.exited)
	return true
}

// wait blocks until the process has exited.
func (p *process) wait(ctx context.Context) (sandbox.Exit, error) {
	select {
	case <-p.exited:
		_, exit := p.now()
		return exit, nil
	case <-ctx.Done():
		return sandbox.Exit{}, ctx.Err()
	}
}

// drainTimeout is how long output may still flow once a process is deleted: a
// child of it may hold the stream open forever.
const drainTimeout = 5 * time.Second

// attach gives the process its standard streams.
func (p *process) attach(streams *stdio.Streams) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams = streams
}

// attached are the process's standard streams, or nil.
func (p *process) attached() *stdio.Streams {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams
}

// drain lets the remaining output of a process that ran flow.
func (p *process) drain(ctx context.Context) {
	streams := p.attached()
	if streams == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	_ = streams.Drain(ctx) // late output is lost, as with runc
}

func (p *process) closeStreams() {
	if streams := p.attached(); streams != nil {
		streams.Close()
	}
}
