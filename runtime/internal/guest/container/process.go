// SPDX-License-Identifier: Apache-2.0

package container

import (
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"

	"hypernetes.org/runtime/internal/guest/reaper"
)

type state int

const (
	created  state = iota // its streams exist, it has not started
	starting              // crun is starting it
	running
	stopped // it has exited, or its start failed
)

// process is a container's first process or an exec.
type process struct {
	io         *stdio
	adjustment int // oom_score_adj

	mu     sync.Mutex
	state  state
	pid    int
	exit   reaper.Exit
	exited chan struct{} // closed with state stopped
}

func newProcess(io *stdio, spec *specs.Process) *process {
	p := &process{io: io, exited: make(chan struct{})}
	if spec.OOMScoreAdj != nil {
		p.adjustment = *spec.OOMScoreAdj
	}
	return p
}

// begin moves from created to starting.
func (p *process) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != created {
		return errState("it was started before")
	}
	p.state = starting
	return nil
}

// run records the pid and follows the process until it has exited; ended is
// called before the exit is reported.
func (p *process) run(r *reaper.Reaper, pid int, ended func()) {
	p.mu.Lock()
	p.state, p.pid = running, pid
	p.mu.Unlock()
	exit := r.Watch(pid)
	go func() {
		end := <-exit
		ended()
		p.stop(end)
	}()
}

func (p *process) stop(exit reaper.Exit) {
	p.io.exited()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.exit = stopped, exit
	close(p.exited)
}

func (p *process) now() (state, int, reaper.Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.pid, p.exit
}
