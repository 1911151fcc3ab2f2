// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"io"
	"net"
	"testing"
	"time"

	"hypernetes.org/runtime/internal/channel"
)

// hello is a server on an address that greets and closes.
func hello(t *testing.T, network, address string) (port uint16, close func()) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "hello")
			_ = conn.Close()
		}
	}()
	return uint16(listener.Addr().(*net.TCPAddr).Port), func() { _ = listener.Close() }
}

func read(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	near, far := net.Pipe()
	if err := near.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { serve(far); close(served) }()
	text, err := io.ReadAll(near)
	if err != nil {
		t.Error(err)
	}
	_ = near.Close()
	<-served
	return string(text)
}

func TestAPortOfEitherFamilyIsReached(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		port, _ := hello(t, network, address)
		status, serve := Dial(port)
		if status != channel.StatusAccepted {
			t.Fatalf("%s: status %d", network, status)
		}
		if got := read(t, serve); got != "hello" {
			t.Errorf("%s: %q", network, got)
		}
	}
	if len(open) != 0 {
		t.Errorf("%d connections count as open", len(open))
	}
}

func TestAPortNobodyListensAtIsRefused(t *testing.T) {
	port, end := hello(t, "tcp4", "127.0.0.1:0")
	end()
	if status, _ := Dial(port); status != channel.StatusUnheard {
		t.Errorf("status %d", status)
	}
	if len(open) != 0 {
		t.Errorf("%d connections count as open", len(open))
	}
}

func TestTheNumberOfConnectionsIsLimited(t *testing.T) {
	port, _ := hello(t, "tcp4", "127.0.0.1:0")
	var all []func(net.Conn)
	for range maxOpen {
		status, serve := Dial(port)
		if status != channel.StatusAccepted {
			t.Fatalf("status %d", status)
		}
		all = append(all, serve)
	}
	if status, _ := Dial(port); status != channel.StatusBusy {
		t.Errorf("one too many: status %d", status)
	}
	for _, serve := range all {
		read(t, serve)
	}
	if status, serve := Dial(port); status != channel.StatusAccepted {
		t.Errorf("after their end: status %d", status)
	} else {
		read(t, serve)
	}
}
