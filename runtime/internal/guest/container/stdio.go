// SPDX-License-Identifier: Apache-2.0

package container

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/channel"
)

// stdio is the guest's side of one process's standard streams. Output waits in
// the pipes until the host attaches, so nothing is lost before that.
type stdio struct {
	terminal bool
	wanted   [3]bool

	mu       sync.Mutex
	ours     [3]*os.File // hyper-guest's ends of the pipes, or the terminal's master at 0
	theirs   [3]*os.File // the process's ends, until it has started
	attached [3]bool
	conns    [3]net.Conn
	closed   bool
	// started is closed when the process runs: the terminal exists, and the pipes
	// contain the process's output. Until then they may contain crun's own messages.
	started chan struct{}
}

func newStdio(terminal bool, wanted [3]bool) (*stdio, error) {
	s := &stdio{terminal: terminal, wanted: wanted, started: make(chan struct{})}
	for fd := range wanted {
		if terminal || !wanted[fd] {
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				s.close()
				return nil, fmt.Errorf("prepare standard streams: %w", err)
			}
			s.theirs[fd] = null
			continue
		}
		reader, writer, err := os.Pipe()
		if err != nil {
			s.close()
			return nil, fmt.Errorf("prepare standard streams: %w", err)
		}
		if fd == 0 {
			s.theirs[fd], s.ours[fd] = reader, writer
		} else {
			s.theirs[fd], s.ours[fd] = writer, reader
		}
	}
	return s, nil
}

// files are what the process starts with.
func (s *stdio) files() []uintptr {
	files := make([]uintptr, 0, len(s.theirs))
	for _, file := range s.theirs {
		files = append(files, file.Fd())
	}
	return files
}

// running closes the process's ends and takes over its terminal, if any.
func (s *stdio) running(master *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeTheirs()
	if s.closed { // the process has been deleted meanwhile
		if master != nil {
			_ = master.Close()
		}
		return
	}
	if s.terminal {
		s.ours[0] = master
	}
	close(s.started)
}

// attach claims a stream for the host.
func (s *stdio) attach(fd uint8) (channel.Status, func(net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || int(fd) >= len(s.wanted) || !s.wanted[fd] || (s.terminal && fd == 2):
		return channel.StatusNotFound, nil
	case s.attached[fd]:
		return channel.StatusBusy, nil
	}
	s.attached[fd] = true
	return channel.StatusAccepted, func(conn net.Conn) { s.serve(fd, conn) }
}

func (s *stdio) serve(fd uint8, conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	s.conns[fd] = conn
	s.mu.Unlock()
	<-s.started
	s.mu.Lock()
	closed, file := s.closed, s.ours[fd]
	if s.terminal {
		file = s.ours[0]
	}
	s.mu.Unlock()
	if closed || file == nil {
		return
	}
	if fd == 0 {
		// Errors mean that one side is gone; the close informs the other.
		_, _ = io.Copy(file, conn)
		if !s.terminal {
			s.closeStdin()
		}
		return
	}
	_, _ = io.Copy(conn, file)
}

// closeStdin closes the process's input. A terminal's input cannot be closed.
func (s *stdio) closeStdin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal && s.ours[0] != nil {
		_ = s.ours[0].Close() // closing twice is harmless
	}
}

func (s *stdio) resize(width, height uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal || s.ours[0] == nil {
		return fmt.Errorf("%w: the process has no terminal", ErrState)
	}
	raw, err := s.ours[0].SyscallConn()
	if err != nil {
		return err
	}
	size := &unix.Winsize{Row: uint16(min(height, 1<<16-1)), Col: uint16(min(width, 1<<16-1))}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
	return errors.Join(err, failed)
}

// exited closes the input of a process that no longer reads. Output stays: the host
// still reads what the process wrote, or its children write.
func (s *stdio) exited() {
	s.closeStdin()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[0] != nil {
		_ = s.conns[0].Close() // ends the copy that waits for the host
	}
}

// close closes everything; streams that the host has open end.
func (s *stdio) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.closeTheirs()
	for fd := range s.ours {
		if s.ours[fd] != nil {
			_ = s.ours[fd].Close() // nothing is written back to a pipe's reader
		}
		if s.conns[fd] != nil {
			_ = s.conns[fd].Close() // the host sees the end
		}
	}
	select {
	case <-s.started:
	default:
		close(s.started)
	}
}

func (s *stdio) closeTheirs() {
	for fd, file := range s.theirs {
		if file != nil {
			_ = file.Close() // the process has its own
			s.theirs[fd] = nil
		}
	}
}

// Attach finds a standard stream for the host.
func (s *Set) Attach(header channel.Header) (channel.Status, func(net.Conn)) {
	_, p, err := s.process(header.Container, header.Exec)
	if err != nil {
		return channel.StatusNotFound, nil
	}
	return p.io.attach(header.FD)
}

// ResizePty sets the size of a process's terminal, in characters.
func (s *Set) ResizePty(id, exec string, width, height uint32) error {
	_, p, err := s.process(id, exec)
	if err != nil {
		return err
	}
	return p.io.resize(width, height)
}

// CloseStdin closes a process's input.
func (s *Set) CloseStdin(id, exec string) error {
	_, p, err := s.process(id, exec)
	if err == nil {
		p.io.closeStdin()
	}
	return err
}
