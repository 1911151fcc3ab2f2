// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// reserved is the command that an admission policy makes of probes.
const reserved = "/.hypernetes/probe"

// web serves pages at the pod's address, and has a program of its own at the reserved path.
const web = `mkdir -p /.hypernetes /tmp/www && printf '#!/bin/sh\necho shadow\nexit 9\n' > ` + reserved + ` && chmod +x ` + reserved + `
echo yes > /tmp/www/page
httpd -p 8080 -h /tmp/www
nc -ll -p 9001 -e sleep 1000 &
while ! { netstat -ltn | grep -q :8080 && netstat -ltn | grep -q :9001; }; do sleep 0.1; done
echo ready
wait`

func (p *pod) probe(id string, words ...string) (string, int32) {
	p.t.Helper()
	stdout, stderr, code := p.exec(id, append([]string{reserved}, words...)...)
	return stdout + stderr, code
}

func TestProbesRunInTheGuest(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", web, nil)
	eventually(t, "the servers listen", 30*time.Second, func() bool { return strings.Contains(p.log("main"), "ready") })
	address := p.address()
	for _, c := range []struct {
		words []string
		code  int32
		want  string
	}{
		{[]string{"http", "--port=8080", "--path=/page", "--timeout=10"}, 0, ""},
		{[]string{"http", "--port=8080", "--path=/missing", "--timeout=10"}, 1, "HTTP probe failed with statuscode: 404"},
		{[]string{"hook", "--port=8080", "--path=/missing"}, 0, ""},
		{[]string{"tcp", "--port=8080", "--timeout=10"}, 0, ""},
		{[]string{"tcp", "--port=81", "--timeout=10"}, 1, "dial tcp " + address + ":81: connect: connection refused"},
		{[]string{"http", "--port=9001", "--path=/", "--timeout=1"}, 1, fmt.Sprintf(
			`Get "http://%s:9001/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, address)},
		{[]string{"http", "--port=web"}, 2, `port "web" not found`},
	} {
		if got, code := p.probe(id, c.words...); got != c.want || code != c.code {
			t.Errorf("%v: %q, %d; want %q, %d", c.words, got, code, c.want, c.code)
		}
	}
	if stdout, _, code := p.exec(id, "sh", "-c", reserved); stdout != "shadow\n" || code != 9 {
		t.Errorf("the container's own program says %q, %d", stdout, code)
	}
	t.Run("the guest says when the time is up, not containerd", func(t *testing.T) {
		answer, err := p.runtime.ExecSync(within(t, time.Minute), &cri.ExecSyncRequest{
			ContainerId: id, Cmd: []string{reserved, "http", "--port=9001", "--timeout=1"}, Timeout: 1})
		if err != nil || !strings.Contains(string(answer.GetStdout()), "Client.Timeout exceeded") {
			t.Errorf("%q, %v", answer.GetStdout(), err)
		}
	})
	t.Run("an exec costs more", func(t *testing.T) {
		p := p.in(t)
		probes, execs := median(func() { p.probe(id, "http", "--port=8080", "--path=/page", "--timeout=10") }),
			median(func() { p.exec(id, "true") })
		t.Logf("median of 9: probe %v, exec %v", probes, execs)
		if probes > execs {
			t.Error("a probe takes longer than the exec of a program")
		}
	})
	p.remove()
	nothingLeft(t)
}

func median(work func()) time.Duration {
	var took []time.Duration
	for range 9 {
		begin := time.Now()
		work()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
