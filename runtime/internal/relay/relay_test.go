// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
)

// link is a client and a server whose connection is carried over one stream.
type link struct{ client, server *net.TCPConn }

func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{dialed, accepted} {
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// sessions are a channel's two ends.
func sessions(t *testing.T) (host, guest *yamux.Session) {
	t.Helper()
	near, far := net.Pipe()
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	host, err := yamux.Client(near, config)
	if err != nil {
		t.Fatal(err)
	}
	guest, err = yamux.Server(far, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = host.Close(), guest.Close() })
	return host, guest
}

func connect(t *testing.T, host, guest *yamux.Session) link {
	t.Helper()
	client, hostSocket := pair(t)
	guestSocket, server := pair(t)
	hostStream, err := host.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hostStream.Write([]byte{0}); err != nil { // as the header does
		t.Fatal(err)
	}
	guestStream, err := guest.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(guestStream, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 2)
	go func() { Run(hostSocket, hostStream); ended <- struct{}{} }()
	go func() { Run(guestSocket, guestStream); ended <- struct{}{} }()
	t.Cleanup(func() {
		_, _ = client.Close(), server.Close()
		for range 2 {
			select {
			case <-ended:
			case <-time.After(2 * drainTime):
				t.Error("a relay does not end")
			}
		}
	})
	return link{client, server}
}

func TestEachWayEndsByItself(t *testing.T) {
	host, guest := sessions(t)
	for name, sides := range map[string]func(link) (first, second *net.TCPConn){
		"the client ends first": func(l link) (_, _ *net.TCPConn) { return l.client, l.server },
		"the server ends first": func(l link) (_, _ *net.TCPConn) { return l.server, l.client },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := sides(connect(t, host, guest))
			question, answer := bytes.Repeat([]byte("q"), 1<<20), bytes.Repeat([]byte("a"), 1<<20)
			go func() {
				_, _ = first.Write(question)
				_ = first.CloseWrite()
			}()
			if got, err := io.ReadAll(second); err != nil || !bytes.Equal(got, question) {
				t.Fatalf("%d bytes arrived, %v", len(got), err)
			}
			go func() {
				_, _ = second.Write(answer)
				_ = second.Close()
			}()
			if got, err := io.ReadAll(first); err != nil || !bytes.Equal(got, answer) {
				t.Errorf("after its own end, %d bytes arrived, %v", len(got), err)
			}
		})
	}
}

// broken is a stream that yamux has reset.
type broken struct{ net.Conn }

func (broken) Read([]byte) (int, error) { return 0, yamux.ErrConnectionReset }

func TestABrokenStreamIsNoEndOfData(t *testing.T) {
	client, socket := pair(t)
	near, far := net.Pipe()
	defer far.Close()
	Run(socket, broken{near})
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client read %v", err)
	}
}

func TestAClientThatGoesAwayEndsTheServersConnection(t *testing.T) {
	host, guest := sessions(t)
	l := connect(t, host, guest)
	if err := l.client.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(l.server); err != nil || len(got) != 0 {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestASlowReaderStallsOnlyItself(t *testing.T) {
	host, guest := sessions(t)
	slow, quick := connect(t, host, guest), connect(t, host, guest)
	go func() { _, _ = io.Copy(slow.server, endless{}) }() // never read by the client
	stalled := make([]byte, 64<<10)
	if _, err := io.ReadFull(slow.client, stalled); err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("x"), 8<<20)
	go func() {
		_, _ = quick.server.Write(sent)
		_ = quick.server.Close()
	}()
	if got, err := io.ReadAll(quick.client); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
