// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Channels of Kubernetes' v4.channel.k8s.io: the first byte of each message.
const (
	stdinChannel  = 0
	resizeChannel = 4
)

// session is an interactive exec, as `kubectl exec -i` has it.
type session struct {
	t    *testing.T
	conn *websocket.Conn

	mu   sync.Mutex
	text [5]strings.Builder
	done chan struct{}
}

func (p *pod) attach(id string, tty bool, command ...string) *session {
	p.t.Helper()
	answer, err := p.runtime.Exec(within(p.t, 10*time.Second),
		&cri.ExecRequest{ContainerId: id, Cmd: command, Tty: tty, Stdin: true, Stdout: true, Stderr: !tty})
	must(p.t, err)
	address, err := url.Parse(answer.GetUrl())
	must(p.t, err)
	address.Scheme = "ws"
	config, err := websocket.NewConfig(address.String(), "http://localhost")
	must(p.t, err)
	config.Protocol = []string{"v4.channel.k8s.io"}
	conn, err := websocket.DialConfig(config)
	must(p.t, err)
	must(p.t, conn.SetDeadline(time.Now().Add(time.Minute)))
	s := &session{t: p.t, conn: conn, done: make(chan struct{})}
	go s.receive()
	p.t.Cleanup(func() { _ = conn.Close(); <-s.done })
	return s
}

func (s *session) receive() {
	defer close(s.done)
	for {
		var message []byte
		if err := websocket.Message.Receive(s.conn, &message); err != nil {
			if !errors.Is(err, io.EOF) {
				s.t.Log("session: ", err)
			}
			return
		}
		if len(message) > 0 && int(message[0]) < len(s.text) {
			s.mu.Lock()
			s.text[message[0]].Write(message[1:])
			s.mu.Unlock()
		}
	}
}

func (s *session) send(channel byte, text string) {
	s.t.Helper()
	must(s.t, websocket.Message.Send(s.conn, append([]byte{channel}, text...)))
}

func (s *session) stream(channel int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text[channel].String()
}

func (s *session) says(word string) {
	s.t.Helper()
	eventually(s.t, "the session says "+word, 20*time.Second, func() bool { return strings.Contains(s.stream(1), word) })
}

// sessionLimit is when a session counts as hung.
const sessionLimit = 20 * time.Second

func (s *session) ends() {
	s.t.Helper()
	s.endsWithin(sessionLimit)
}

func (s *session) endsWithin(limit time.Duration) {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(limit):
		s.t.Fatalf("the session does not end; it said %q and %q", s.stream(1), s.stream(3))
	}
}

func TestInteractiveExec(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "sleep 1000", nil)

	t.Run("input without a terminal is carried whole and ends", func(t *testing.T) {
		// ctr, since CRI's web sockets know no end of input.
		cmd := exec.CommandContext(within(t, time.Minute), dist("ctr"), "-n", "k8s.io", "tasks", "exec", "--exec-id", "in", id,
			"sh", "-c", "wc -c; echo end >&2; exit 5")
		cmd.Stdin = bytes.NewReader(make([]byte, 1<<20))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 5 || stdout.String() != "1048576\n" || !strings.Contains(stderr.String(), "end\n") {
			t.Errorf("%q, %q, %v", stdout.String(), stderr.String(), err)
		}
	})
	t.Run("a session without a terminal answers", func(t *testing.T) {
		s := p.in(t).attach(id, false, "sh", "-c", "read line; echo got $line; echo end >&2; exit 5")
		s.send(stdinChannel, "this\n")
		s.says("got this")
		s.ends()
		if s.stream(2) != "end\n" || !strings.Contains(s.stream(3), `"message":"5"`) {
			t.Errorf("stderr %q, status %q", s.stream(2), s.stream(3))
		}
	})
	t.Run("a program that leaves its input unread ends its session", func(t *testing.T) {
		s := p.in(t).attach(id, false, "sh", "-c", "head -c 1 >/dev/null; echo read; exit 4")
		go func() { // more than all buffers hold; it fails once the session is over
			for range 3 << 5 {
				if websocket.Message.Send(s.conn, append([]byte{stdinChannel}, make([]byte, 32<<10)...)) != nil {
					return
				}
			}
		}()
		s.ends()
		if s.stream(1) != "read\n" || !strings.Contains(s.stream(3), `"message":"4"`) {
			t.Errorf("stdout %q, status %q", s.stream(1), s.stream(3))
		}
	})
	t.Run("a terminal echoes and has the size it was given", func(t *testing.T) {
		s := p.in(t).attach(id, true, "sh")
		s.send(resizeChannel, `{"width":123,"height":45}`)
		s.send(stdinChannel, "tty && echo is a tty\n")
		s.says("is a tty\r\n")
		eventually(t, "the size arrives", 10*time.Second, func() bool {
			s.send(stdinChannel, "stty size\n")
			time.Sleep(200 * time.Millisecond)
			return strings.Contains(s.stream(1), "45 123")
		})
		s.send(stdinChannel, "exit 9\n")
		s.ends()
		if !strings.Contains(s.stream(3), `"message":"9"`) {
			t.Errorf("status %q", s.stream(3))
		}
	})
	t.Run("much output arrives whole", func(t *testing.T) {
		out, _, code := p.in(t).exec(id, "sh", "-c", "dd if=/dev/zero bs=1024 count=3072 2>/dev/null | tr '\\0' x")
		if len(out) != 3<<20 || code != 0 {
			t.Errorf("%d bytes, %d", len(out), code)
		}
	})
	t.Run("an exec that takes too long is ended", func(t *testing.T) {
		_, err := p.runtime.ExecSync(within(t, time.Minute), &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{"sleep", "100"}, Timeout: 1})
		if err == nil || !strings.Contains(err.Error(), "timeout") && !strings.Contains(err.Error(), "exceeded") {
			t.Fatalf("got %v", err)
		}
		if out, _, _ := p.in(t).exec(id, "ps"); strings.Contains(out, "sleep 100\n") {
			t.Errorf("it still runs: %s", out)
		}
	})
	p.remove()
	nothingLeft(t)
}
