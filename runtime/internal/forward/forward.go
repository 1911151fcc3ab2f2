// SPDX-License-Identifier: Apache-2.0

// Package forward carries connections from the pod's network namespace on the host to the
// same port inside the pod's machine. containerd dials there for a port-forward, as if the
// pod's processes were on the host (internal/cri/server/sandbox_portforward_linux.go).
//
// Only processes in that namespace can connect: containerd for the time of a request, and
// the pod's own monitor, which reaches nothing by it but its own guest.
package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/relay"
	"hypernetes.org/runtime/internal/thread"
)

const (
	// maxOpen bounds what the host holds for connections: each may buffer a window of the
	// channel. Further ones are reset.
	maxOpen     = 128
	openTimeout = 15 * time.Second
)

// Opener connects to a port of the pod's localhost. A stream's Close ends what is sent.
type Opener func(ctx context.Context, port uint16) (net.Conn, error)

// Listener accepts connections to all ports of a pod's localhost.
type Listener struct {
	listeners map[uint32]*net.TCPListener
	steering  *steering
	open      chan struct{}
	closing   sync.Once
}

// Listen takes over the ports of the network namespace at a path.
func Listen(path string) (*Listener, error) {
	netns, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the pod's network namespace: %w", err)
	}
	defer netns.Close()
	l := &Listener{open: make(chan struct{}, maxOpen)}
	if l.listeners, err = makeListeners(netns); err != nil {
		return nil, err
	}
	if l.steering, err = steer(netns, l.listeners); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// makeListeners makes the sockets on a thread that ends with its stay in the namespace.
func makeListeners(netns *os.File) (map[uint32]*net.TCPListener, error) {
	type outcome struct {
		listeners map[uint32]*net.TCPListener
		err       error
	}
	made := make(chan outcome, 1)
	thread.Own(func() {
		if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			made <- outcome{err: fmt.Errorf("enter the pod's network namespace: %w", err)}
			return
		}
		listeners, err := listen()
		made <- outcome{listeners, err}
	})
	got := <-made
	return got.listeners, got.err
}

func listen() (map[uint32]*net.TCPListener, error) {
	// Any free port will do: the program gives it the connections to all others.
	first, err := listenAt("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen in the pod's network namespace: %w", err)
	}
	listeners := map[uint32]*net.TCPListener{keyIPv4: first}
	if second, err := listenAt("tcp6", "[::1]:0"); err == nil {
		listeners[keyIPv6] = second
	} // else the node has no IPv6, and nothing can dial it
	return listeners, nil
}

func listenAt(network, address string) (*net.TCPListener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // a socket of MPTCP cannot be in a map of sockets
	listener, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return listener.(*net.TCPListener), nil
}

// Close lets the ports go. Connections that are open continue until Serve's context ends.
func (l *Listener) Close() {
	l.closing.Do(func() {
		if l.steering != nil {
			l.steering.close()
		}
		for _, listener := range l.listeners {
			_ = listener.Close() // nothing is lost with a listener
		}
	})
}

// Serve carries connections until ctx ends, and returns when all have ended.
func (l *Listener) Serve(ctx context.Context, open Opener) {
	stop := context.AfterFunc(ctx, l.Close)
	defer stop()
	var work sync.WaitGroup
	for _, listener := range l.listeners {
		work.Go(func() {
			for {
				conn, err := listener.AcceptTCP()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil { // out of descriptors or memory
					select {
					case <-time.After(100 * time.Millisecond):
					case <-ctx.Done():
					}
					continue
				}
				l.take(ctx, conn, open, &work)
			}
		})
	}
	work.Wait()
}

func (l *Listener) take(ctx context.Context, conn *net.TCPConn, open Opener, work *sync.WaitGroup) {
	select {
	case l.open <- struct{}{}:
	default:
		reset(conn)
		return
	}
	work.Go(func() {
		defer func() { <-l.open }()
		carry(ctx, conn, open)
	})
}

func carry(ctx context.Context, conn *net.TCPConn, open Opener) {
	// A socket that a program has assigned keeps the address that was dialed.
	dialed, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		reset(conn)
		return
	}
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	stream, err := open(opening, uint16(dialed.Port))
	cancel()
	if err != nil {
		// containerd passes the reset on, as the request's error.
		reset(conn)
		return
	}
	// The machine's end ends its streams, and with them the relay.
	relay.Run(conn, stream)
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // makes Close send a reset
	_ = conn.Close()
}
