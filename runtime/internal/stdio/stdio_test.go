// SPDX-License-Identifier: Apache-2.0

package stdio

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func fifo(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// guest stands for the channel: Open gets one end, the test the other.
type guest map[uint8]net.Conn

func (g guest) open(_ context.Context, fd uint8) (net.Conn, error) {
	ours, theirs := net.Pipe()
	g[fd] = theirs
	return ours, nil
}

func reader(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := file.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOutputReachesContainerdAndEnds(t *testing.T) {
	path, g := fifo(t, "out"), guest{}
	from := reader(t, path)
	streams, err := Open(t.Context(), Paths{Stdout: path}, g.open)
	if err != nil {
		t.Fatal(err)
	}
	defer streams.Close()
	go func() { _, _ = g[1].Write([]byte("hello")); _ = g[1].Close() }()
	if err := streams.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(from); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestOutputSurvivesContainerd(t *testing.T) {
	path, g := fifo(t, "out"), guest{}
	first := reader(t, path)
	streams, err := Open(t.Context(), Paths{Stdout: path}, g.open)
	if err != nil {
		t.Fatal(err)
	}
	defer streams.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g[1].Write([]byte("while away")); err != nil {
		t.Fatal(err)
	}
	second := reader(t, path)
	got := make([]byte, 10)
	if _, err := io.ReadFull(second, got); err != nil || string(got) != "while away" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestInputIsCarriedWholeBeforeItEnds(t *testing.T) {
	path, g := fifo(t, "in"), guest{}
	streams, err := Open(t.Context(), Paths{Stdin: path}, g.open)
	if err != nil {
		t.Fatal(err)
	}
	defer streams.Close()
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write([]byte("typed")); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	streams.CloseStdin()
	if got, err := io.ReadAll(g[0]); err != nil || string(got) != "typed" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestInputStaysOpenWithoutAWriter(t *testing.T) {
	path, g := fifo(t, "in"), guest{}
	streams, err := Open(t.Context(), Paths{Stdin: path}, g.open)
	if err != nil {
		t.Fatal(err)
	}
	defer streams.Close()
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g[0].SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := g[0].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the input ended: %v", err)
	}
}

// A program may end, or close its input, while its client still writes.
func TestInputEndsForItsWritersOnceTheGuestReadsNoMore(t *testing.T) {
	for round := range 1000 {
		path, g := fifo(t, "in"), guest{}
		streams, err := Open(t.Context(), Paths{Stdin: path}, g.open)
		if err != nil {
			t.Fatal(err)
		}
		writer, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() { // more than FIFO and channel hold
			_ = writer.SetWriteDeadline(time.Now().Add(10 * time.Second))
			_, err := writer.Write(make([]byte, 1<<20))
			written <- err
		}()
		if _, err := g[0].Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := g[0].Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-written; !errors.Is(err, unix.EPIPE) {
			t.Fatalf("round %d: the writer got %v", round, err)
		}
		streams.Close()
		_ = writer.Close()
	}
	if got := runtime.NumGoroutine(); got > 50 {
		t.Errorf("%d goroutines are left", got)
	}
}

func TestCloseEndsAStreamNobodyReads(t *testing.T) {
	path, g := fifo(t, "out"), guest{}
	streams, err := Open(t.Context(), Paths{Stdout: path}, g.open)
	if err != nil {
		t.Fatal(err)
	}
	filled := make(chan struct{})
	go func() { // more than a FIFO holds
		defer close(filled)
		_ = g[1].SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = g[1].Write(make([]byte, 1<<20))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := streams.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("drained: %v", err)
	}
	streams.Close()
	streams.Close()
	<-filled
}

func TestATerminalHasNoStderr(t *testing.T) {
	path, g := fifo(t, "out"), guest{}
	streams, err := Open(t.Context(), Paths{Stdout: path, Stderr: path, Terminal: true}, g.open)
	if err != nil {
		t.Fatal(err)
	}
	streams.Close()
	if len(g) != 1 || g[1] == nil {
		t.Fatalf("opened %v", g)
	}
}

func TestOnlyFIFOsAreCarried(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, filepath.Join(t.TempDir(), "absent")} {
		if _, err := Open(t.Context(), Paths{Stdout: path}, guest{}.open); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
	if err := (Paths{Stdout: "binary:///bin/sh"}).Check(); err == nil {
		t.Error("a binary was accepted")
	}
	if err := (Paths{Stdout: plain}).Check(); err != nil {
		t.Error(err)
	}
}
