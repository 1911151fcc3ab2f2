// SPDX-License-Identifier: Apache-2.0

package service

import (
	"net"
	"sync"
)

// oneConn is a listener with one connection: the session's rpc stream. Its end
// is the end of the service.
type oneConn struct {
	conn net.Conn
	once sync.Once
	end  chan struct{}
	init sync.Once
}

func (l *oneConn) closed() chan struct{} {
	l.init.Do(func() { l.end = make(chan struct{}) })
	return l.end
}

// Accept returns the connection, and then blocks until the connection ends.
func (l *oneConn) Accept() (net.Conn, error) {
	var first net.Conn
	l.once.Do(func() { first = &notifyingConn{Conn: l.conn, closed: l.closed()} })
	if first != nil {
		return first, nil
	}
	<-l.closed()
	return nil, net.ErrClosed
}

// Close is part of net.Listener.
func (l *oneConn) Close() error { return l.conn.Close() }

// Addr is part of net.Listener.
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

type notifyingConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *notifyingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
