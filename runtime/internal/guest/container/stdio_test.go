// SPDX-License-Identifier: Apache-2.0

package container

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"hypernetes.org/runtime/internal/channel"
)

// started gives streams as a process has them that writes and reads through theirs.
func started(t *testing.T) (*stdio, [3]*os.File) {
	t.Helper()
	s, err := newStdio(false, [3]bool{true, true, false})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	theirs := s.theirs
	s.theirs = [3]*os.File{}
	t.Cleanup(func() {
		for _, file := range theirs {
			_ = file.Close()
		}
	})
	s.running(nil)
	return s, theirs
}

func attach(t *testing.T, s *stdio, fd uint8) net.Conn {
	t.Helper()
	status, serve := s.attach(fd)
	if status != channel.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	host, guest := net.Pipe()
	t.Cleanup(func() { _ = host.Close() })
	go serve(guest)
	return host
}

func TestOutputFromBeforeTheHostAttachedIsNotLost(t *testing.T) {
	s, theirs := started(t)
	if _, err := theirs[1].WriteString("early"); err != nil {
		t.Fatal(err)
	}
	_ = theirs[1].Close()
	got, err := io.ReadAll(attach(t, s, 1))
	if err != nil || string(got) != "early" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheHostEndsTheInput(t *testing.T) {
	s, theirs := started(t)
	in := attach(t, s, 0)
	go func() {
		_, _ = io.WriteString(in, "word")
		_ = in.Close()
	}()
	got, err := io.ReadAll(theirs[0])
	if err != nil || string(got) != "word" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAStreamIsAttachedOnceAndOnlyIfItWasAskedFor(t *testing.T) {
	s, _ := started(t)
	attach(t, s, 1)
	for fd, want := range map[uint8]channel.Status{1: channel.StatusBusy, 2: channel.StatusNotFound, 3: channel.StatusNotFound} {
		if status, _ := s.attach(fd); status != want {
			t.Errorf("fd %d: status %d, want %d", fd, status, want)
		}
	}
}

func TestDeletingEndsWhatTheHostStillReads(t *testing.T) {
	s, _ := started(t)
	out := attach(t, s, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(out)
		ended <- err
	}()
	s.close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the host still waits")
	}
}

func TestAnExitEndsTheInputThatWaitsForTheHost(t *testing.T) {
	s, _ := started(t)
	in := attach(t, s, 0)
	// The copy must have begun before the exit, else there is nothing to end.
	if _, err := io.WriteString(in, "x"); err != nil {
		t.Fatal(err)
	}
	s.exited()
	if _, err := in.Read(make([]byte, 1)); err == nil {
		t.Error("the stream is still open")
	}
}
