// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

func TestAGuestThatTakesNoStreamHoldsNobodyBeyondTheContext(t *testing.T) {
	hostEnd, guestEnd := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, guestEnd) }() // reads, and answers nothing
	t.Cleanup(func() { _ = guestEnd.Close() })
	session, err := yamux.Client(hostEnd, yamuxConfig(hostBacklog))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	for range hostBacklog {
		if _, err := openStream(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := openStream(ctx, session); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the stream beyond the backlog: %v", err)
	}
	if waited := time.Since(began); waited > writeTimeout/2 {
		t.Errorf("waited %s", waited)
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
	go func() { _, _ = io.WriteString(guestEnd, fmt.Sprintf("hypernetes-guest %d\n", Version+1)) }()
	if _, err := Dial(t.Context(), hostEnd); err == nil || !strings.Contains(err.Error(), fmt.Sprint("version ", Version+1)) {
		t.Errorf("got %v", err)
	}
}

// hostile connects a guest that speaks yamux's frames itself, says first along
// with its hello, and passes what it reads to heard.
func hostile(t *testing.T, first string, heard func(header []byte)) (*Host, net.Conn) {
	t.Helper()
	hostEnd, guestEnd := net.Pipe()
	go func() {
		_ = WriteHello(guestEnd)
		_, _ = io.WriteString(guestEnd, first)
	}()
	go func() {
		for header := make([]byte, frameHeader); ; {
			if _, err := io.ReadFull(guestEnd, header); err != nil {
				return
			}
			if header[1] == typeData {
				_, _ = io.CopyN(io.Discard, guestEnd, int64(binary.BigEndian.Uint32(header[8:])))
			}
			heard(header)
		}
	}()
	host, err := Dial(t.Context(), hostEnd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = host.Close(), guestEnd.Close() })
	return host, guestEnd
}

func frame(kind uint8, flags uint16, stream, length uint32) string {
	header := []byte{0, kind}
	header = binary.BigEndian.AppendUint16(header, flags)
	header = binary.BigEndian.AppendUint32(header, stream)
	return string(binary.BigEndian.AppendUint32(header, length))
}

func TestStreamsThatTheGuestOpensAreResetAndForgotten(t *testing.T) {
	const flagRST = 8
	resets := make(chan uint32, 256)
	open := func(stream uint32) string { return frame(typeData, flagSYN, stream, 100) + strings.Repeat("x", 100) }
	host, guest := hostile(t, open(2), func(header []byte) {
		if binary.BigEndian.Uint16(header[2:])&flagRST != 0 {
			resets <- binary.BigEndian.Uint32(header[4:])
		}
	})
	for stream := uint32(2); stream < 200; stream += 2 {
		if stream > 2 {
			if _, err := io.WriteString(guest, open(stream)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case got := <-resets:
			if got != stream {
				t.Fatalf("stream %d was reset, not %d", got, stream)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("stream %d was not reset", stream)
		}
	}
	if held := host.session.NumStreams(); held != 0 {
		t.Errorf("the host holds %d streams", held)
	}
}

func TestAFloodOfPingsEndsTheSession(t *testing.T) {
	host, guest := hostile(t, "", func([]byte) {})
	// Data before it must not hide it, nor where a read ends.
	flood := frame(typeData, 0, 7, 5) + "\x00\x02\x00\x01\x00" + strings.Repeat(frame(typePing, flagSYN, 0, 1), 10_000)
	_ = guest.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if n, err := guest.Write([]byte(flood)); err == nil {
		t.Errorf("the host read all of %d bytes", n)
	}
	select {
	case <-host.Done():
	case <-time.After(10 * time.Second):
		t.Error("the session goes on")
	}
}

func TestPingsOfAnHonestGuestAreAnswered(t *testing.T) {
	answers := make(chan struct{}, maxPings)
	_, guest := hostile(t, "", func(header []byte) {
		if header[1] == typePing {
			answers <- struct{}{}
		}
	})
	for range maxPings {
		if _, err := io.WriteString(guest, frame(typePing, flagSYN, 0, 1)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-answers:
		case <-time.After(10 * time.Second):
			t.Fatal("no answer")
		}
	}
}

func TestStreamsThatTheGuestNeverClosesAreBounded(t *testing.T) {
	const flagACK = 2
	guests := make(chan net.Conn, 1)
	host, guest := hostile(t, "", func(header []byte) {
		if header[1] == typeData && binary.BigEndian.Uint16(header[2:])&flagSYN == 0 {
			conn := <-guests
			_, _ = io.WriteString(conn, frame(typeData, flagACK, binary.BigEndian.Uint32(header[4:]), 1)+"\x00")
			guests <- conn
		}
	})
	guests <- guest
	for range maxStreams {
		conn, err := host.IO(t.Context(), "c1", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	if _, err := host.IO(t.Context(), "c1", "", 1); err == nil {
		t.Error("one stream too many was opened")
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
