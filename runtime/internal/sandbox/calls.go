// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/containerd/ttrpc"
)

// heedContext lets a call end with its context. ttrpc checks the context only once
// the request is written, which a guest that reads nothing delays; and it writes
// under a lock, so that every later call hangs too.
func heedContext(ctx context.Context, request *ttrpc.Request, response *ttrpc.Response, _ *ttrpc.UnaryClientInfo,
	invoke ttrpc.Invoker,
) error {
	answered := make(chan error, 1)
	// It ends with ctx or, while it writes, with callConn's deadline.
	go func() { answered <- invoke(ctx, request, response) }()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// callConn carries calls to the guest. It fails if the guest does not read them, since
// after half a message no other message can be sent, and if the guest sends anything
// but their answers.
type callConn struct {
	net.Conn
	limit   time.Duration
	fail    func(error)
	answers answers
	fault   error // of the one reader
}

func (c *callConn) Read(p []byte) (int, error) {
	if c.fault != nil {
		return 0, c.fault
	}
	n, err := c.Conn.Read(p)
	if c.fault = c.answers.answer(p[:n]); c.fault != nil {
		c.fail(c.fault)
		return 0, c.fault
	}
	return n, err
}

func (c *callConn) Write(p []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	// Before it is written: the answer may be read first.
	if err := c.answers.call(p); err != nil {
		c.fail(err)
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		c.fail(fmt.Errorf("write a call to the guest: %w", err))
	}
	return n, err
}
