// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	"golang.org/x/sys/unix"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/thread"
)

// servers are the pod's: of one answer, of the input itself, of an endless output, and
// one that listens on IPv6 only.
const servers = `nc -ll -p 8080 -e echo hello &
nc -ll -p 9000 -e cat &
nc -ll -p 9001 -e cat /dev/zero &
echo six > /tmp/index.html
httpd -p '[::1]:9006' -h /tmp
listening() { netstat -ltn | grep -q ":$1 "; }
while ! { listening 8080 && listening 9000 && listening 9001 && listening 9006; }; do sleep 0.1; done
echo ready
wait`

// portForward is one connection as `kubectl port-forward` has it: what the port says, and
// the error that the node reports. The channels are Kubernetes': one for data, one for errors,
// each of which begins with the port.
func (p *pod) portForward(port int32) (data, fault string) {
	p.t.Helper()
	answer, err := p.runtime.PortForward(within(p.t, 10*time.Second), &cri.PortForwardRequest{PodSandboxId: p.id, Port: []int32{port}})
	must(p.t, err)
	address, err := url.Parse(answer.GetUrl())
	must(p.t, err)
	address.Scheme = "ws"
	config, err := websocket.NewConfig(address.String(), "http://localhost")
	must(p.t, err)
	config.Protocol = []string{"v4.channel.k8s.io"}
	conn, err := websocket.DialConfig(config)
	must(p.t, err)
	defer conn.Close()
	must(p.t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	var text [2]bytes.Buffer
	for {
		var message []byte
		if err := websocket.Message.Receive(conn, &message); err != nil {
			break // the node closes it after the last word
		}
		if len(message) > 0 && int(message[0]) < len(text) {
			text[message[0]].Write(message[1:])
		}
	}
	for channel := range text {
		if head := text[channel].Next(2); len(head) != 2 || int32(head[0])|int32(head[1])<<8 != port {
			p.t.Errorf("channel %d begins with %v", channel, head)
		}
	}
	return text[0].String(), text[1].String()
}

// dialInside connects from the pod's network namespace on the host.
func (p *pod) dialInside(address string) (*net.TCPConn, error) {
	p.t.Helper()
	paths, err := filepath.Glob("/run/netns/*")
	must(p.t, err)
	if len(paths) != 1 {
		p.t.Fatalf("the pod's network namespace is one of %v", paths)
	}
	type outcome struct {
		conn net.Conn
		err  error
	}
	made := make(chan outcome, 1)
	thread.Own(func() {
		file, err := os.Open(paths[0])
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			made <- outcome{nil, err}
			return
		}
		conn, err := net.DialTimeout("tcp", address, 10*time.Second)
		made <- outcome{conn, err}
	})
	got := <-made
	if got.err != nil {
		return nil, got.err
	}
	p.t.Cleanup(func() { _ = got.conn.Close() })
	return got.conn.(*net.TCPConn), got.conn.SetDeadline(time.Now().Add(time.Minute))
}

func TestPortForward(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	p.run("main", servers, nil)
	eventually(t, "the servers listen", 30*time.Second, func() bool { return strings.Contains(p.log("main"), "ready") })

	t.Run("a port's answer arrives", func(t *testing.T) {
		for range 3 {
			if data, fault := p.in(t).portForward(8080); data != "hello\n" || fault != "" {
				t.Errorf("%q, %q", data, fault)
			}
		}
		six, err := p.in(t).dialInside("127.0.0.1:9006")
		must(t, err)
		_, err = io.WriteString(six, "GET / HTTP/1.0\r\n\r\n")
		must(t, err)
		if got, err := io.ReadAll(six); err != nil || !strings.HasSuffix(string(got), "six\n") {
			t.Errorf("IPv6: %q, %v", got, err)
		}
	})
	t.Run("a port at which nothing listens is an error", func(t *testing.T) {
		begin := time.Now()
		data, fault := p.in(t).portForward(81)
		if data != "" || !strings.Contains(fault, "connection reset by peer") {
			t.Errorf("%q, %q", data, fault)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("many connections carry both ways, each to its own end", func(t *testing.T) {
		p := p.in(t)
		// Beside one that is not read.
		slow, err := p.dialInside("127.0.0.1:9001")
		must(t, err)
		_, err = io.ReadFull(slow, make([]byte, 1<<20))
		must(t, err)
		const connections, size = 24, 300 << 10 // more than a window each
		var conns []*net.TCPConn
		for range connections {
			conn, err := p.dialInside("127.0.0.1:9000")
			must(t, err)
			// nc lets a single connection wait to be accepted: an echo shows that this one was.
			_, err = io.WriteString(conn, "ready")
			must(t, err)
			_, err = io.ReadFull(conn, make([]byte, len("ready")))
			must(t, err)
			conns = append(conns, conn)
		}
		begin := time.Now()
		var all sync.WaitGroup
		for number, conn := range conns {
			all.Go(func() {
				sent := bytes.Repeat([]byte(fmt.Sprintf("%07d\n", number)), size/8)
				go func() {
					_, _ = conn.Write(sent)
					_ = conn.CloseWrite()
				}()
				if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("connection %d: %d of %d bytes came back, %v", number, len(got), len(sent), err)
				}
			})
		}
		all.Wait()
		t.Logf("%d connections of %d KiB each way: %v", connections, size>>10, time.Since(begin))
		if _, err := io.ReadFull(slow, make([]byte, 1<<20)); err != nil {
			t.Errorf("the one that was not read: %v", err)
		}
	})
	p.remove()
	nothingLeft(t)
}
