// SPDX-License-Identifier: Apache-2.0

package fakeguest

import (
	"context"
	"net"
	"sync"

	"hypernetes.org/runtime/internal/vmm"
)

// brokenClone is a machine whose guest closes its channel instead of answering.
type brokenClone struct {
	vmm.Machine // nothing else is asked of it
	host        net.Conn
	done        chan struct{}
	once        sync.Once
}

func newBrokenClone(host, guest net.Conn) *brokenClone {
	_ = guest.Close() // there is no guest
	return &brokenClone{host: host, done: make(chan struct{})}
}

// PID implements vmm.Machine.
func (c *brokenClone) PID() int { return 1 }

// Channel implements vmm.Machine.
func (c *brokenClone) Channel() net.Conn { return c.host }

// Done implements vmm.Machine.
func (c *brokenClone) Done() <-chan struct{} { return c.done }

// Wait implements vmm.Machine.
func (c *brokenClone) Wait(context.Context) (vmm.Exit, error) { return vmm.Exit{Code: -1}, nil }

// Kill implements vmm.Machine.
func (c *brokenClone) Kill() error {
	c.once.Do(func() { close(c.done) })
	return nil
}
