// SPDX-License-Identifier: Apache-2.0

package task

import (
	"sync"
	"testing"
	"time"
)

func TestWorkMayComeWhileTheGroupIsWaitedFor(t *testing.T) {
	var g group
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() { g.Go(func() {}) })
		callers.Go(g.Wait)
	}
	callers.Wait()
	g.Wait()
}

func TestAGroupIsWaitedFor(t *testing.T) {
	var g group
	release, waited := make(chan struct{}), make(chan struct{})
	g.Go(func() { <-release })
	go func() { g.Wait(); close(waited) }()
	select {
	case <-waited:
		t.Error("it was not waited for")
	case <-time.After(10 * time.Millisecond):
	}
	close(release)
	<-waited
}
