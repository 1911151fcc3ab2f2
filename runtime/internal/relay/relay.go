// SPDX-License-Identifier: Apache-2.0

// Package relay carries bytes between a TCP connection and a stream of the guest
// channel. Both ends of a forwarded port use it.
package relay

import (
	"io"
	"net"
	"sync"
	"time"
)

// drainTime is how long the rest of a stream is read, and dropped, once the connection
// is broken. Else the sender waits, with its window used up, until yamux resets the stream.
const drainTime = 10 * time.Second

// Run carries both ways until both have ended, and closes both. The end of one way is
// passed on as such, so that the other continues. If either side breaks, the TCP
// connection is reset: its peer must not take an error for the end of the data.
//
// A stream's Close ends only what is sent on it (see yamux).
func Run(socket *net.TCPConn, stream net.Conn) {
	abort := sync.OnceFunc(func() {
		_ = socket.SetLinger(0) // makes Close send a reset
		_ = socket.Close()
		_ = stream.SetDeadline(time.Unix(1, 0)) // ends the other way
	})
	var ways sync.WaitGroup
	ways.Go(func() {
		if _, err := io.Copy(stream, socket); err != nil {
			abort()
			return
		}
		_ = stream.Close() // only a dead session makes it fail, which the other way sees
	})
	ways.Go(func() {
		if _, err := io.Copy(socket, stream); err != nil || socket.CloseWrite() != nil {
			abort()
		}
	})
	ways.Wait()
	_ = socket.Close() // again, if it was aborted
	_ = stream.Close()
	if stream.SetReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.Copy(io.Discard, stream)
	}
}
