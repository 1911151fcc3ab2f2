// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestAPodRunsInAMachineOfItsOwnAndLeavesNothing(t *testing.T) {
	n := newNode(t)
	begin := time.Now()
	p := n.newPod(t, nil)
	booted := time.Now()
	id := p.run("main", "echo out; echo err >&2; uname -r; sleep 1000", nil)
	t.Logf("sandbox %v, container %v", booted.Sub(begin), time.Since(booted))
	host, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is whole", 20*time.Second, func() bool { return strings.Count(p.log("main"), "\n") >= 3 })
	text := p.log("main")
	if !strings.Contains(text, "stdout:out\n") || !strings.Contains(text, "stderr:err\n") {
		t.Errorf("log %q", text)
	}
	if strings.Contains(text, strings.TrimSpace(string(host))) {
		t.Errorf("the pod has the host's kernel: %q", text)
	}
	stdout, stderr, code := p.exec(id, "sh", "-c", "hostname; cat /etc/resolv.conf; echo bad >&2; exit 7")
	if code != 7 || stderr != "bad\n" || !strings.Contains(stdout, p.config.GetHostname()) || !strings.Contains(stdout, "nameserver 10.77.0.9") {
		t.Errorf("exec: %q, %q, %d", stdout, stderr, code)
	}
	p.exec(id, "sh", "-c", "(while :; do echo hello | nc -l -p 8080; done) >/dev/null 2>&1 &")
	if got, err := dial(p.address() + ":8080"); err != nil || got != "hello\n" {
		t.Errorf("over the pod's network: %q, %v", got, err)
	}
	begin = time.Now()
	p.remove()
	t.Logf("removal %v", time.Since(begin))
	nothingLeft(t)
}

// dial reads what a pod's server says, trying for some seconds.
func dial(address string) (string, error) {
	var text []byte
	var err error
	for range 20 {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", address, 2*time.Second); err == nil {
			text, err = io.ReadAll(conn)
			return string(text), errors.Join(err, conn.Close())
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", err
}

func (p *pod) address() string {
	p.t.Helper()
	answer, err := p.runtime.PodSandboxStatus(within(p.t, 10*time.Second), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.GetStatus().GetNetwork().GetIp()
}
