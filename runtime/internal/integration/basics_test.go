// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"os"
	"os/exec"
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
	if out, err := exec.Command("ping", "-c1", "-W5", p.address()).CombinedOutput(); err != nil {
		t.Errorf("ping: %v: %s", err, out)
	}
	begin = time.Now()
	p.remove()
	t.Logf("removal %v", time.Since(begin))
	eventually(t, "nothing is left", 5*time.Second, func() bool { return len(leftovers(t)) == 0 })
}

func (p *pod) address() string {
	p.t.Helper()
	answer, err := p.runtime.PodSandboxStatus(within(p.t, 10*time.Second), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.GetStatus().GetNetwork().GetIp()
}
