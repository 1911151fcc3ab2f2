// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/thread"
)

// namespace is a network namespace with nothing but its loopback.
type namespace struct {
	t    *testing.T
	file *os.File
}

func newNamespace(t *testing.T) namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are made by root only")
	}
	type outcome struct {
		file *os.File
		err  error
	}
	made := make(chan outcome, 1)
	thread.Own(func() {
		file, err := func() (*os.File, error) {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return nil, err
			}
			lo, err := netlink.LinkByName("lo")
			if err != nil {
				return nil, err
			}
			if err := netlink.LinkSetUp(lo); err != nil {
				return nil, err
			}
			return os.Open("/proc/thread-self/ns/net")
		}()
		made <- outcome{file, err}
	})
	got := <-made
	if got.err != nil {
		t.Fatal(got.err)
	}
	t.Cleanup(func() { _ = got.file.Close() })
	return namespace{t, got.file}
}

func (n namespace) path() string { return fmt.Sprintf("/proc/self/fd/%d", n.file.Fd()) }

// dial connects from inside.
func (n namespace) dial(network, address string) (*net.TCPConn, error) {
	n.t.Helper()
	type outcome struct {
		conn net.Conn
		err  error
	}
	made := make(chan outcome, 1)
	thread.Own(func() {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			made <- outcome{nil, err}
			return
		}
		conn, err := net.DialTimeout(network, address, 10*time.Second)
		made <- outcome{conn, err}
	})
	got := <-made
	if got.err != nil {
		return nil, got.err
	}
	n.t.Cleanup(func() { _ = got.conn.Close() })
	if err := got.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		n.t.Fatal(err)
	}
	return got.conn.(*net.TCPConn), nil
}

func (n namespace) listen() *Listener {
	n.t.Helper()
	l, err := Listen(n.path())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(l.Close)
	return l
}

// serve serves until the test ends.
func (n namespace) serve(l *Listener, open Opener) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { l.Serve(ctx, open); close(served) }()
	n.t.Cleanup(func() {
		cancel()
		select {
		case <-served:
		case <-time.After(20 * time.Second):
			n.t.Error("Serve does not end with its context")
		}
	})
}

// says answers each connection with the port it was made to.
func says(_ context.Context, port uint16) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		_, _ = fmt.Fprint(far, port)
		_ = far.Close()
	}()
	return near, nil
}

func TestConnectionsToAnyPortArriveWithTheirPort(t *testing.T) {
	n := newNamespace(t)
	n.serve(n.listen(), says)
	for _, port := range []string{"1", "22", "80", "8080", "65535"} {
		for network, host := range map[string]string{"tcp4": "127.0.0.1", "tcp6": "::1"} {
			conn, err := n.dial(network, net.JoinHostPort(host, port))
			if err != nil {
				t.Fatalf("%s %s: %v", host, port, err)
			}
			if got, err := io.ReadAll(conn); err != nil || string(got) != port {
				t.Errorf("%s %s: %q, %v", host, port, got, err)
			}
		}
	}
}

func TestTheListenersOwnPortIsLikeAnyOther(t *testing.T) {
	n := newNamespace(t)
	l := n.listen()
	n.serve(l, says)
	address := l.listeners[keyIPv4].Addr().String()
	conn, err := n.dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(address, ":"+string(got)) {
		t.Errorf("%s: %q, %v", address, got, err)
	}
}

func TestARefusedPortResetsTheConnection(t *testing.T) {
	n := newNamespace(t)
	n.serve(n.listen(), func(context.Context, uint16) (net.Conn, error) { return nil, errors.New("refused") })
	conn, err := n.dial("tcp4", "127.0.0.1:80")
	if err == nil {
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestConnectionsBeyondTheLimitAreReset(t *testing.T) {
	n := newNamespace(t)
	waiting := make(chan struct{}, maxOpen)
	n.serve(n.listen(), func(ctx context.Context, _ uint16) (net.Conn, error) {
		waiting <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	for range maxOpen {
		if _, err := n.dial("tcp4", "127.0.0.1:80"); err != nil {
			t.Fatal(err)
		}
		<-waiting
	}
	conn, err := n.dial("tcp4", "127.0.0.1:80")
	if err == nil {
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("one too many: %v", err)
	}
}

func TestOtherNamespacesHaveTheirOwnPorts(t *testing.T) {
	one, other := newNamespace(t), newNamespace(t)
	l := one.listen()
	one.serve(l, says)
	if _, err := other.dial("tcp4", "127.0.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("another namespace's port: %v", err)
	}
	l.Close()
	if _, err := one.dial("tcp4", "127.0.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Close: %v", err)
	}
}
