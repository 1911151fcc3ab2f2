// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/log"
	"golang.org/x/sys/unix"
)

// A shim sends one request as a line of JSON. The answer is one byte, with the two
// files if there is a template.
const (
	answerNone  = 'n'
	answerFound = 'y'
	maxRequest  = 4096
	// A keeper answers at once: it never makes a caller wait for a template.
	callTimeout = 5 * time.Second
)

// Listen creates the keeper's socket, for root only.
func Listen(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, fmt.Errorf("create the socket's directory: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of an earlier keeper: %w", err)
	}
	old := unix.Umask(0o177) // the socket must never be open to others, not even for a moment
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen for shims: %w", err)
	}
	return listener, nil
}

// Serve answers shims until ctx ends.
func Serve(ctx context.Context, listener *net.UnixListener, keeper *Keeper) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		conn, err := listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a shim: %w", err)
		}
		go func() {
			defer conn.Close()
			if err := answer(ctx, conn, keeper); err != nil {
				log.L.WithError(err).Warn("answer a shim")
			}
		}()
	}
}

func answer(ctx context.Context, conn *net.UnixConn, keeper *Keeper) error {
	if err := conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	var request Request
	if err := json.Unmarshal(line, &request); err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	found, err := keeper.Get(ctx, request)
	if err != nil || found == nil {
		_, sent := conn.Write([]byte{answerNone})
		return errors.Join(err, sent)
	}
	defer found.Close()
	rights := unix.UnixRights(int(found.Memory.Fd()), int(found.State.Fd()))
	_, _, err = conn.WriteMsgUnix([]byte{answerFound}, rights, nil)
	return err
}

// Ask asks the keeper at a socket for a template; nil if it has none.
func Ask(ctx context.Context, socket string, request Request) (*Template, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := ask(ctx, socket, request)
	if err != nil {
		return nil, fmt.Errorf("ask for a template: %w", err)
	}
	return found, nil
}

func ask(ctx context.Context, socket string, request Request) (*Template, error) {
	var dialer net.Dialer
	stream, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	conn := stream.(*net.UnixConn)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(append(text, '\n')); err != nil {
		return nil, err
	}
	word, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(2*4))
	n, length, _, _, err := conn.ReadMsgUnix(word, rights)
	if err != nil {
		return nil, err
	}
	files, err := receive(rights[:length])
	if err != nil {
		return nil, err
	}
	if n == 1 && word[0] == answerNone && len(files) == 0 {
		return nil, nil
	}
	if n != 1 || word[0] != answerFound || len(files) != 2 {
		for _, file := range files {
			_ = file.Close() // of an answer that is not understood
		}
		return nil, errors.New("the keeper's answer is not understood")
	}
	return &Template{Memory: files[0], State: files[1]}, nil
}

func receive(rights []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "template"))
		}
	}
	return files, nil
}
