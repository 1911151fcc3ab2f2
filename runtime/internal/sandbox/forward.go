// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"

	"github.com/containerd/log"
)

// listen takes over the ports of the pod's network namespace on the host, before the
// monitor runs there. A node that cannot forward ports still runs pods.
func (s *Sandbox) listen(netns string) {
	if s.host.Forward == nil {
		return
	}
	listener, err := s.host.Forward(netns)
	if err != nil {
		log.L.WithError(err).Warn("the pod's ports cannot be forwarded")
		return
	}
	s.forwards = listener
	context.AfterFunc(s.live, listener.Close)
}

// forward carries connections to the pod's ports until its machine ends.
func (s *Sandbox) forward() {
	if s.forwards != nil {
		s.forwards.Serve(s.live, s.channel.Forward)
	}
}
