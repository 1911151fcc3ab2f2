// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
)

// accept is a Handler made of a function.
type accept func(Header) (Status, func(net.Conn))

func (a accept) Accept(header Header) (Status, func(net.Conn)) { return a(header) }

func echo(conn net.Conn) {
	defer conn.Close()
	_, _ = io.Copy(conn, conn)
}

func connect(t *testing.T, handler Handler) *Host {
	t.Helper()
	hostEnd, guestEnd := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		guest, err := NewGuest(guestEnd, handler)
		if err == nil {
			_ = guest.Serve()
		}
	}()
	host, err := Dial(t.Context(), hostEnd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = host.Close()
		<-served
	})
	return host
}

func TestStreamsCarryWhatTheirHeaderSays(t *testing.T) {
	headers := make(chan Header, 2)
	host := connect(t, accept(func(header Header) (Status, func(net.Conn)) {
		headers <- header
		return StatusAccepted, echo
	}))
	conn, err := host.IO(t.Context(), "c1", "e1", 2)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := <-headers, (Header{Kind: KindIO, Container: "c1", Exec: "e1", FD: 2}); got != want {
		t.Errorf("the guest saw %+v", got)
	}
	sent := strings.Repeat("x", 3*window)
	go func() {
		_, _ = io.WriteString(conn, sent)
		_ = conn.Close()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != sent {
		t.Errorf("got %d bytes back, %v", len(got), err)
	}
}

func TestARefusalTellsWhy(t *testing.T) {
	host := connect(t, accept(func(Header) (Status, func(net.Conn)) { return StatusBusy, nil }))
	_, err := host.IO(t.Context(), "c1", "", 1)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Status != StatusBusy {
		t.Errorf("got %v", err)
	}
}

func TestAnIDOfTheHostIsCheckedBeforeItIsSent(t *testing.T) {
	host := connect(t, accept(func(Header) (Status, func(net.Conn)) {
		t.Error("it was sent")
		return StatusRefused, nil
	}))
	if _, err := host.IO(t.Context(), "../c1", "", 1); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatDoesNotComeEndsWithTheContext(t *testing.T) {
	block := make(chan struct{})
	host := connect(t, accept(func(Header) (Status, func(net.Conn)) {
		<-block
		return StatusRefused, nil
	}))
	defer close(block)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := host.RPC(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestWaitingForTheHelloEndsWithTheContext(t *testing.T) {
	hostEnd, guestEnd := net.Pipe()
	defer guestEnd.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, hostEnd); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	hostEnd, guestEnd := net.Pipe()
	defer guestEnd.Close()
	go func() { _, _ = io.WriteString(guestEnd, "hypernetes-guest 2\n") }()
	if _, err := Dial(t.Context(), hostEnd); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v", err)
	}
}

func TestStreamsThatTheGuestOpensAreRefused(t *testing.T) {
	hostEnd, guestEnd := net.Pipe()
	go func() {
		if host, err := Dial(t.Context(), hostEnd); err == nil {
			<-host.Done()
		}
	}()
	if err := WriteHello(guestEnd); err != nil {
		t.Fatal(err)
	}
	session, err := yamux.Server(guestEnd, yamuxConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for range 3 * guestBacklog {
		stream, err := session.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		if err := handshake(t.Context(), stream, []byte{byte(KindDNS), 0, 0, 0}); err == nil {
			t.Fatal("the host took a stream of the guest")
		}
		_ = stream.Close()
	}
}

func TestTheEndOfTheGuestIsSeen(t *testing.T) {
	hostEnd, guestEnd := net.Pipe()
	go func() {
		if guest, err := NewGuest(guestEnd, accept(nil)); err == nil {
			_ = guest.Close()
		}
	}()
	host, err := Dial(t.Context(), hostEnd)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-host.Done():
	case <-time.After(10 * time.Second):
		t.Error("the host did not notice")
	}
}

// FuzzHost lets a hostile guest say anything after its hello.
func FuzzHost(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00")) // opens a stream
	f.Add([]byte("\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07")) // ping
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff")) // too much data
	f.Fuzz(func(t *testing.T, said []byte) {
		hostEnd, guestEnd := net.Pipe()
		go func() {
			_ = WriteHello(guestEnd)
			_ = guestEnd.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = guestEnd.Write(said)
			_ = guestEnd.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, guestEnd) }()
		host, err := Dial(t.Context(), hostEnd)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-host.Done():
		case <-time.After(30 * time.Second):
			t.Fatal("the host hangs")
		}
	})
}
