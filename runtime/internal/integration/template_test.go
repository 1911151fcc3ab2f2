// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hypernetes.org/runtime/internal/config"
)

// withTemplates turns templates on for the test, and starts their keeper.
func withTemplates(t *testing.T) (keeper *exec.Cmd, messages *lockedBuffer) {
	t.Helper()
	before, err := os.ReadFile(config.Path)
	must(t, err)
	t.Cleanup(func() { must(t, os.WriteFile(config.Path, before, 0o644)) })
	settings := map[string]any{}
	must(t, json.Unmarshal(before, &settings))
	settings["templates"] = config.TemplatesNamespace
	after, err := json.Marshal(settings)
	must(t, err)
	must(t, os.WriteFile(config.Path, after, 0o644))
	keeper, messages = exec.Command(filepath.Join(os.Getenv(innerEnv), "bin", "hypernetes-templates")), &lockedBuffer{}
	keeper.Stderr = messages
	must(t, keeper.Start())
	t.Cleanup(func() {
		_ = keeper.Process.Kill() // the test may have done so
		_ = keeper.Wait()
		if t.Failed() {
			t.Log(messages.String())
		}
	})
	return keeper, messages
}

// clones counts the machines that did not boot.
func (n *node) clones() int { return strings.Count(n.log.String(), "the pod's machine is a clone") }

func TestPodsAreClonedAndOutliveTheKeeper(t *testing.T) {
	n := newNode(t)
	keeper, messages := withTemplates(t)
	begin := time.Now()
	first := n.newPod(t, nil)
	booted := time.Since(begin)
	if n.clones() != 0 {
		t.Error("the first pod was cloned")
	}
	eventually(t, "there is a template", 2*time.Minute, func() bool { return strings.Contains(messages.String(), "made a template") })
	addresses := map[string]bool{}
	var second *pod
	for number := range 2 {
		begin = time.Now()
		p := n.newPod(t, nil)
		sandbox := time.Since(begin)
		id := p.run("main", "cat /proc/sys/kernel/random/boot_id; cat /sys/class/net/eth0/address; sleep 1000", nil)
		t.Logf("booted %s; cloned %s, with a container %s", booted, sandbox, time.Since(begin))
		if n.clones() != number+1 {
			t.Errorf("%d clones after pod %d", n.clones(), number+2)
		}
		eventually(t, "the log is whole", 20*time.Second, func() bool { return strings.Count(p.log("main"), "\n") >= 2 })
		for _, line := range strings.Split(strings.TrimSpace(p.log("main")), "\n") {
			if addresses[line] {
				t.Errorf("two clones have %s", line)
			}
			addresses[line] = true
		}
		stdout, _, code := p.exec(id, "sh", "-c", "hostname; cat /etc/resolv.conf")
		if code != 0 || !strings.Contains(stdout, p.config.GetHostname()) || !strings.Contains(stdout, "nameserver 10.77.0.9") {
			t.Errorf("exec: %q, %d", stdout, code)
		}
		p.exec(id, "sh", "-c", "(while :; do echo hello | nc -l -p 8080; done) >/dev/null 2>&1 &")
		if got, err := dial(p.address() + ":8080"); err != nil || got != "hello\n" {
			t.Errorf("over the pod's network: %q, %v", got, err)
		}
		second = p
	}
	must(t, keeper.Process.Kill())
	_ = keeper.Wait() // it was killed
	if got, err := dial(second.address() + ":8080"); err != nil || got != "hello\n" {
		t.Errorf("a clone without the keeper: %q, %v", got, err)
	}
	last := n.newPod(t, nil)
	if n.clones() != 2 {
		t.Error("a pod was cloned without the keeper")
	}
	for _, p := range []*pod{first, last} {
		p.says("says", image, "echo hello", "hello\n")
	}
	n.removeAll(t)
	nothingLeft(t)
}
