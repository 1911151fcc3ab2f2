// SPDX-License-Identifier: Apache-2.0

// Package stdio carries a process's standard streams between the FIFOs that
// containerd made and the streams of the guest channel.
package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bufferSize is what one direction copies at once, in bytes.
const bufferSize = 16 << 10

// Paths are the FIFOs of one process; "" stands for none.
type Paths struct {
	Stdin, Stdout, Stderr string
	Terminal              bool
}

// Opener opens the guest's side of a stream (0, 1 or 2).
type Opener func(ctx context.Context, fd uint8) (net.Conn, error)

// Streams are a process's open streams. Close closes them.
type Streams struct {
	files   []*os.File
	conns   []net.Conn
	stdin   *os.File // the shim's write end: keeps the FIFO from ending early
	outputs sync.WaitGroup
	all     sync.WaitGroup
	once    sync.Once
	mu      sync.Mutex
}

// Check refuses what this shim does not support, before anything is created.
func (p Paths) Check() error {
	for _, path := range []string{p.Stdin, p.Stdout, p.Stderr} {
		if path != "" && strings.Contains(path, "://") {
			return fmt.Errorf("stream %q is not supported: only FIFOs are", path)
		}
	}
	return nil
}

// Open connects a process's streams and starts copying. The guest must know
// the process (CreateContainer or Exec has answered).
func Open(ctx context.Context, paths Paths, open Opener) (*Streams, error) {
	s := &Streams{}
	if err := s.connect(ctx, paths, open); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Streams) connect(ctx context.Context, paths Paths, open Opener) error {
	for fd, path := range []string{paths.Stdin, paths.Stdout, paths.Stderr} {
		if path == "" || (fd == 2 && paths.Terminal) {
			continue
		}
		file, err := s.fifo(path, fd == 0)
		if err != nil {
			return err
		}
		conn, err := open(ctx, uint8(fd))
		if err != nil {
			return fmt.Errorf("open stream %d: %w", fd, err)
		}
		s.conns = append(s.conns, conn)
		if fd == 0 {
			s.all.Go(func() { input(conn, file) })
			s.all.Go(func() { s.follow(conn, file) })
		} else {
			s.outputs.Add(1)
			s.all.Go(func() { defer s.outputs.Done(); output(file, conn) })
		}
	}
	return nil
}

// fifo opens containerd's FIFO so that neither a restart of containerd nor a
// slow start of it breaks the stream: an output is opened for both directions,
// so that writing never fails for want of a reader; the shim keeps a
// write end of an input, so that only CloseIO ends it.
func (s *Streams) fifo(path string, input bool) (*os.File, error) {
	flags := os.O_RDWR
	if input {
		flags = os.O_RDONLY
	}
	file, err := os.OpenFile(path, flags|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	s.files = append(s.files, file)
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("inspect a stream: %w", err)
	}
	if info.Mode()&os.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("stream %s is not a FIFO", path)
	}
	if input {
		if s.stdin, err = os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil {
			return nil, fmt.Errorf("hold a stream: %w", err)
		}
	}
	return file, nil
}

// follow waits for the guest to close its side of an input, on which it sends
// nothing: the process reads no more, or is gone. From then on writers get
// an error, even those blocked on a full FIFO, and unread data is dropped.
func (s *Streams) follow(guest io.ReadCloser, host io.Closer) {
	_, _ = guest.Read(make([]byte, 1))
	s.CloseStdin()
	_ = host.Close() // the last reader: writers get EPIPE
	_ = guest.Close()
}

// input copies to the guest until every writer is gone, then ends the guest's side.
func input(guest io.WriteCloser, host io.Reader) {
	// A guest that closed its input is not an error.
	_, _ = io.CopyBuffer(plainWriter{guest}, plainReader{host}, make([]byte, bufferSize))
	_ = guest.Close()
}

// output copies from the guest until it ends; closing the host's side notifies
// containerd.
func output(host *os.File, guest io.ReadCloser) {
	// A broken channel ends the stream as the process's end would.
	_, _ = io.CopyBuffer(plainWriter{host}, plainReader{guest}, make([]byte, bufferSize))
	_ = host.Close()
	_ = guest.Close()
}

// plainReader and plainWriter hide ReadFrom and WriteTo, so that CopyBuffer uses
// its buffer: splicing from a FIFO into a yamux stream is not possible anyway.
type plainReader struct{ io.Reader }
type plainWriter struct{ io.Writer }

// CloseStdin lets the input end once what was written to it has been carried.
func (s *Streams) CloseStdin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdin != nil {
		_ = s.stdin.Close() // a FIFO's write end: nothing to lose
		s.stdin = nil
	}
}

// Drain waits until all output has been carried, or ctx ends.
func (s *Streams) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() { s.outputs.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends all streams and waits for the copying to stop.
func (s *Streams) Close() {
	s.once.Do(func() {
		s.CloseStdin()
		for _, conn := range s.conns {
			// Closing a yamux stream ends only the local half; the deadline ends reading.
			_ = conn.SetDeadline(time.Unix(1, 0))
			_ = conn.Close()
		}
		for _, file := range s.files {
			if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
				continue // it is gone in any case
			}
		}
		s.all.Wait()
	})
}
