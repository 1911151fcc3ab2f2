// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"sync"

	"github.com/containerd/log"
)

// oomScore is the monitor's oom_score_adj.
type oomScore struct {
	mu    sync.Mutex
	value int
	exact bool // it is a container's
}

// protect sets the monitor's first value, which stands for containers to come.
func (s *Sandbox) protect(score int) error {
	s.oomScore.mu.Lock()
	defer s.oomScore.mu.Unlock()
	s.oomScore.value = score
	return s.host.AdjustOOM(s.machine.PID(), score)
}

// Protect has the machine killed no sooner than the container of the given
// oom_score_adj would be: of its containers the best protected counts.
func (s *Sandbox) Protect(container *int) {
	if container == nil {
		return
	}
	score := &s.oomScore
	score.mu.Lock()
	defer score.mu.Unlock()
	if score.exact && *container >= score.value {
		return
	}
	score.value, score.exact = *container, true
	if err := s.host.AdjustOOM(s.machine.PID(), *container); err != nil {
		log.L.WithError(err).Warn("protect the pod's machine") // it may have ended
	}
}
