// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
	settings["templates"], settings["templates_grace"] = config.TemplatesProject, 1
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

// held counts the files of templates that a process has open.
func held(t *testing.T, pid int) int {
	t.Helper()
	count := 0
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	must(t, err)
	for _, path := range paths {
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, "/memfd:hypernetes-") {
			count++
		}
	}
	return count
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
		eventually(t, "nc listens again", 20*time.Second, func() bool { _, code := p.probe(id, "tcp", "--port=8080", "--timeout=10"); return code == 0 })
		eventually(t, "a port is forwarded", 20*time.Second, func() bool { data, _ := p.portForward(8080); return data == "hello\n" })
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

func TestTemplatesGoWithTheLastPodOfTheirProject(t *testing.T) {
	n := newNode(t)
	keeper, messages := withTemplates(t)
	n.newPod(t, nil)
	eventually(t, "there is a template", 2*time.Minute, func() bool { return strings.Contains(messages.String(), "made a template") })
	if held(t, keeper.Process.Pid) != 2 {
		t.Errorf("the keeper holds %d files", held(t, keeper.Process.Pid))
	}
	n.removeAll(t)
	eventually(t, "the template is gone", time.Minute, func() bool { return held(t, keeper.Process.Pid) == 0 })
	nothingLeft(t)
}

// TestAMonitorKilledWhileItClones: the pod comes up all the same, by booting, and nothing
// of the clone is left.
func TestAMonitorKilledWhileItClones(t *testing.T) {
	n := newNode(t)
	_, messages := withTemplates(t)
	n.newPod(t, nil)
	eventually(t, "there is a template", 2*time.Minute, func() bool { return strings.Contains(messages.String(), "made a template") })
	killed := make(chan bool)
	go func() {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			for pid := range processes(t, "-incoming\x00") {
				if number, err := strconv.Atoi(pid); err == nil && syscall.Kill(number, syscall.SIGKILL) == nil {
					killed <- true
					return
				}
			}
		}
		killed <- false
	}()
	p := n.newPod(t, nil)
	if !<-killed || n.clones() != 0 || !strings.Contains(n.log.String(), "it could not be cloned") {
		t.Errorf("%d clones after one was killed", n.clones())
	}
	p.says("says", image, "echo hello", "hello\n")
	n.removeAll(t)
	nothingLeft(t)
}
