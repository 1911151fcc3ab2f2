// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	// A stopped or starved guest must not block a caller forever, but under
	// software emulation a loaded machine may stall for seconds.
	writeTimeout     = 60 * time.Second
	keepAlive        = 30 * time.Second
	handshakeTimeout = 20 * time.Second
	window           = 256 << 10
	// How many streams the host opens before the guest has answered one.
	hostBacklog = 16
	// Each stream may make the host hold one window, including one that the host
	// has closed and the guest has not. Their number bounds it, not a short
	// StreamCloseTimeout, which would cut off input that a process reads late.
	maxStreams = 512
)

func yamuxConfig(backlog int) *yamux.Config {
	config := yamux.DefaultConfig()
	config.AcceptBacklog = backlog
	config.EnableKeepAlive = true
	config.KeepAliveInterval = keepAlive
	config.ConnectionWriteTimeout = writeTimeout
	config.MaxStreamWindowSize = window
	config.StreamOpenTimeout = writeTimeout
	config.LogOutput = io.Discard
	return config
}

// Host is the shim's end.
type Host struct {
	session *yamux.Session
	hello   Hello
}

// Dial waits for the guest's hello on conn and starts the session. It owns conn
// from then on, even when it fails. A guest of another version is an error.
func Dial(ctx context.Context, conn net.Conn) (*Host, error) {
	host, err := dial(ctx, conn)
	if err != nil {
		_ = conn.Close() // the first error is the one to report
		return nil, err
	}
	return host, nil
}

func dial(ctx context.Context, conn net.Conn) (*Host, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	hello, err := ReadHello(conn)
	if !stop() && ctx.Err() != nil {
		return nil, fmt.Errorf("wait for the guest's hello: %w", ctx.Err())
	}
	if err != nil {
		return nil, err
	}
	if hello.Version != Version {
		return nil, fmt.Errorf("the guest speaks channel version %d, this shim %d: rebuild the guest", hello.Version, Version)
	}
	guarded := newGuard(conn)
	session, err := yamux.Client(guarded, yamuxConfig(hostBacklog))
	if err != nil {
		return nil, fmt.Errorf("start the channel: %w", err)
	}
	if err := refuse(ctx, session); err != nil {
		return nil, err
	}
	guarded.open()
	return &Host{session: session, hello: hello}, nil
}

// Hello is the guest's first message.
func (h *Host) Hello() Hello { return h.hello }

// RPC opens the stream for ttrpc.NewClient. Once per session.
func (h *Host) RPC(ctx context.Context) (net.Conn, error) {
	return h.open(ctx, Header{Kind: KindRPC})
}

// IO opens one standard stream of a process known to the guest: write to fd 0
// and Close to end its input; read fd 1 and 2 until EOF. It may be opened from
// CreateContainer or Exec on until Delete, once per fd: output waits in the guest.
func (h *Host) IO(ctx context.Context, container, exec string, fd uint8) (net.Conn, error) {
	return h.open(ctx, Header{Kind: KindIO, Container: container, Exec: exec, FD: fd})
}

// Forward connects to a port of the pod's localhost. Close ends what is sent; what the
// pod sends is read until EOF.
func (h *Host) Forward(ctx context.Context, port uint16) (net.Conn, error) {
	return h.open(ctx, Header{Kind: KindForward, Port: port})
}

// Done is closed when the session has ended, for any reason.
func (h *Host) Done() <-chan struct{} { return h.session.CloseChan() }

// Close ends the session; the guest then powers off.
func (h *Host) Close() error { return h.session.Close() }

func (h *Host) open(ctx context.Context, header Header) (net.Conn, error) {
	wire, err := header.MarshalBinary()
	if err != nil {
		return nil, err
	}
	if h.session.NumStreams() >= maxStreams {
		return nil, fmt.Errorf("open a stream to the guest: %d are open", maxStreams)
	}
	stream, err := openStream(ctx, h.session)
	if err != nil {
		return nil, fmt.Errorf("open a stream to the guest: %w", err)
	}
	if err := handshake(ctx, stream, wire); err != nil {
		_ = stream.Close() // the first error is the one to report
		return nil, fmt.Errorf("open a stream to the guest: %w", err)
	}
	return stream, nil
}

// openStream opens a stream or ends with ctx: if the guest does not answer,
// OpenStream waits, which yamux bounds only by the end of the whole session.
func openStream(ctx context.Context, session *yamux.Session) (net.Conn, error) {
	type outcome struct {
		stream *yamux.Stream
		err    error
	}
	opened := make(chan outcome, 1)
	go func() {
		stream, err := session.OpenStream()
		opened <- outcome{stream, err}
	}()
	select {
	case got := <-opened:
		if got.err != nil {
			return nil, got.err
		}
		return got.stream, nil
	case <-ctx.Done():
		go func() {
			if late := <-opened; late.err == nil {
				_ = late.stream.Close() // its caller has given up
			}
		}()
		return nil, ctx.Err()
	}
}

func handshake(ctx context.Context, stream net.Conn, wire []byte) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	// The context alone sets the limit: a deadline on the stream could expire
	// first, and the caller would see an i/o timeout instead of its own.
	stop := context.AfterFunc(ctx, func() { _ = stream.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := stream.Write(wire); err != nil {
		return errors.Join(err, ctx.Err())
	}
	var status [1]byte
	if _, err := io.ReadFull(stream, status[:]); err != nil {
		return errors.Join(err, ctx.Err())
	}
	if status[0] != byte(StatusAccepted) {
		return &RefusedError{Status: Status(status[0])}
	}
	if !stop() {
		return ctx.Err()
	}
	return nil
}

// refuse has yamux reset every stream the guest opens and keep nothing of it:
// dns and api are reserved. Streams of the host are not affected. If the refusal
// cannot be sent, the session has ended, and Done reports it.
func refuse(ctx context.Context, session *yamux.Session) error {
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	_ = session.GoAway()
	if !stop() {
		return fmt.Errorf("start the channel: %w", ctx.Err())
	}
	return nil
}

// RefusedError is the guest's answer to a header when it is not StatusAccepted.
type RefusedError struct{ Status Status }

func (e *RefusedError) Error() string {
	switch e.Status {
	case StatusNotFound:
		return "the guest knows no such process or stream"
	case StatusBusy:
		return "the stream is already attached, or too many are open"
	case StatusUnheard:
		return "nothing in the pod accepts connections at the port"
	case StatusRefused:
		return "the guest does not serve this kind of stream"
	default:
		return fmt.Sprintf("the guest refused the stream (status %d)", e.Status)
	}
}
