// SPDX-License-Identifier: Apache-2.0

package task

import "sync"

// group is a set of goroutines that may grow while a goroutine waits for it to be
// empty, which sync.WaitGroup forbids.
type group struct {
	mu      sync.Mutex
	running int
	empty   chan struct{} // closed when running falls to 0; nil before and after
}

// Go runs work in the group.
func (g *group) Go(work func()) {
	g.mu.Lock()
	g.running++
	g.mu.Unlock()
	go func() {
		defer g.done()
		work()
	}()
}

func (g *group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running--; g.running == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Wait returns once the group is, or was, empty.
func (g *group) Wait() {
	g.mu.Lock()
	if g.running == 0 {
		g.mu.Unlock()
		return
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	<-empty
}
