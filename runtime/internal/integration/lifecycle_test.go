// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestContainersOfAPod(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, func(c *cri.PodSandboxConfig) {
		c.Linux.Resources = &cri.LinuxContainerResources{CpuPeriod: 100000, CpuQuota: 150000, MemoryLimitInBytes: 192 << 20}
	})

	t.Run("an init container runs to its end", func(t *testing.T) {
		p := p.in(t)
		if status := p.exits(p.run("init", "exit 0", nil)); status.GetExitCode() != 0 || status.GetReason() != "Completed" {
			t.Fatalf("got %v", status)
		}
	})
	t.Run("exit codes come back", func(t *testing.T) {
		p := p.in(t)
		if status := p.exits(p.run("fails", "exit 42", nil)); status.GetExitCode() != 42 {
			t.Fatalf("got %v", status)
		}
	})
	t.Run("a command that is not there fails to start", func(t *testing.T) {
		p := p.in(t)
		id := p.container("absent", "", func(c *cri.ContainerConfig) { c.Command = []string{"/no/such/program"} })
		if err := p.tryStart(id); err == nil || !strings.Contains(strings.ToLower(err.Error()), "no such file") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("two containers share network and shared memory, not processes or files", func(t *testing.T) {
		p := p.in(t)
		a := p.run("a", "echo mine > /tmp/x; echo ours > /dev/shm/x; sleep 1000", nil)
		b := p.run("b", "sleep 1000", nil)
		eventually(t, "a has written", 10*time.Second, func() bool {
			out, _, _ := p.exec(b, "cat", "/dev/shm/x")
			return out == "ours\n"
		})
		if _, _, code := p.exec(b, "cat", "/tmp/x"); code == 0 {
			t.Error("b sees a's files")
		}
		if out, _, _ := p.exec(b, "ps"); strings.Contains(out, "mine") {
			t.Errorf("b sees a's processes: %s", out)
		}
		addresses := "ip address show eth0 | grep inet"
		outA, _, _ := p.exec(a, "sh", "-c", addresses)
		outB, _, _ := p.exec(b, "sh", "-c", addresses)
		if outA != outB || !strings.Contains(outA, p.address()) {
			t.Errorf("addresses %q and %q", outA, outB)
		}
	})
	t.Run("the machine has the size of the limits", func(t *testing.T) {
		p := p.in(t)
		id := p.run("size", "sleep 1000", nil)
		out, _, _ := p.exec(id, "sh", "-c", "grep -c ^processor /proc/cpuinfo; awk '/MemTotal/{print $2}' /proc/meminfo")
		fields := strings.Fields(out)
		if len(fields) != 2 || fields[0] != "2" {
			t.Fatalf("got %q", out)
		}
		if kib, err := strconv.Atoi(fields[1]); err != nil || kib < 192<<10 || kib > 400<<10 {
			t.Errorf("%s KiB", fields[1])
		}
	})
	t.Run("shim and machine are in the pod's cgroup, and the node ends the machine first", func(t *testing.T) {
		scores := map[string]int{}
		for word, group := range map[string]string{"qemu-system": "/hyper-" + p.id[:13], "containerd-shim-hyper": "/hyper-" + p.id[:13] + "-shim"} {
			for pid := range processes(t, word) {
				text, err := os.ReadFile("/proc/" + pid + "/cgroup")
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(text), ":memory:/"+cgroupParent+group+"\n") && !strings.Contains(string(text), "0::/"+cgroupParent+group+"\n") {
					t.Errorf("%s is in %s", word, text)
				}
				score, err := os.ReadFile("/proc/" + pid + "/oom_score_adj")
				if err != nil {
					t.Fatal(err)
				}
				if scores[word], err = strconv.Atoi(strings.TrimSpace(string(score))); err != nil {
					t.Fatal(err)
				}
			}
		}
		// The pod's cgroup is no kubelet's: as of a guaranteed pod, or what is allowed here.
		own, err := os.ReadFile("/proc/self/oom_score_adj")
		if err != nil {
			t.Fatal(err)
		}
		containerd, err := strconv.Atoi(strings.TrimSpace(string(own)))
		if err != nil {
			t.Fatal(err)
		}
		if scores["containerd-shim-hyper"] != containerd+1 || scores["qemu-system"] < -997 || scores["qemu-system"] > containerd+1 {
			t.Errorf("oom_score_adj: %v, containerd's is %d", scores, containerd)
		}
	})
	t.Run("a scratch disk has the size of the record", func(t *testing.T) {
		p := p.in(t)
		id := p.run("scratch", "sleep 1000", nil)
		out, _, _ := p.exec(id, "sh", "-c", "df -m / | awk 'END {print $4}'")
		if mib, err := strconv.Atoi(strings.TrimSpace(out)); err != nil || mib < 500 || mib > 560 {
			t.Errorf("%q MiB are free for 512", out)
		}
	})
	t.Run("a container's memory limit ends it as OOMKilled", func(t *testing.T) {
		p := p.in(t)
		id := p.run("greedy", "sleep 1; x=a; while :; do x=$x$x; done", func(c *cri.ContainerConfig) {
			c.Linux.Resources.MemoryLimitInBytes = 24 << 20
		})
		if status := p.exits(id); status.GetExitCode() != 137 || status.GetReason() != "OOMKilled" {
			t.Fatalf("got %v", status)
		}
	})
	t.Run("a graceful stop lets a container finish", func(t *testing.T) {
		p := p.in(t)
		id := p.run("polite", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done", nil)
		eventually(t, "it is up", 10*time.Second, func() bool { return strings.Contains(p.log("polite"), "up") })
		if _, err := p.runtime.StopContainer(within(t, time.Minute), &cri.StopContainerRequest{ContainerId: id, Timeout: 20}); err != nil {
			t.Fatal(err)
		}
		if status := p.status(id); status.GetExitCode() != 3 || !strings.Contains(p.log("polite"), "bye") {
			t.Errorf("got %v, log %q", status, p.log("polite"))
		}
	})
	t.Run("a container that ignores SIGTERM is killed", func(t *testing.T) {
		p := p.in(t)
		id := p.run("stubborn", "trap '' TERM; echo up; while :; do sleep 1; done", nil)
		// Before that a signal may still meet runc's own process, which it ends.
		eventually(t, "it is up", 10*time.Second, func() bool { return strings.Contains(p.log("stubborn"), "up") })
		if _, err := p.runtime.StopContainer(within(t, time.Minute), &cri.StopContainerRequest{ContainerId: id, Timeout: 1}); err != nil {
			t.Fatal(err)
		}
		if status := p.status(id); status.GetExitCode() != 137 {
			t.Errorf("got %v", status)
		}
	})
	t.Run("a container can be restarted in its pod", func(t *testing.T) {
		p := p.in(t)
		for attempt := range uint32(3) {
			id := p.run("again", "exit 1", func(c *cri.ContainerConfig) { c.Metadata.Attempt = attempt })
			if status := p.exits(id); status.GetExitCode() != 1 {
				t.Fatalf("attempt %d: %v", attempt, status)
			}
			if _, err := p.runtime.RemoveContainer(within(t, time.Minute), &cri.RemoveContainerRequest{ContainerId: id}); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("statistics are there", func(t *testing.T) {
		p := p.in(t)
		id := p.run("counted", "sleep 1000", nil)
		answer, err := p.runtime.ContainerStats(within(t, 20*time.Second), &cri.ContainerStatsRequest{ContainerId: id})
		if err != nil || answer.GetStats().GetMemory().GetWorkingSetBytes().GetValue() == 0 {
			t.Fatalf("got %v, %v", answer, err)
		}
	})
	p.remove()
	nothingLeft(t)
}

// in is the pod for a subtest, whose failures are its own.
func (p *pod) in(t *testing.T) *pod {
	copied := *p
	copied.t = t
	return &copied
}

func TestAMachineThatDiesTakesItsPodAlong(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "sleep 1000", nil)
	killAll(t, "qemu-system")
	if status := p.exits(id); status.GetExitCode() != 137 {
		t.Errorf("got %v", status)
	}
	eventually(t, "the sandbox is not ready", 10*time.Second, func() bool { return !p.ready() })
	// What the kubelet does next: a new sandbox of the same pod.
	if _, err := p.runtime.StopPodSandbox(within(t, time.Minute), &cri.StopPodSandboxRequest{PodSandboxId: p.id}); err != nil {
		t.Fatal(err)
	}
	p.remove()
	nothingLeft(t)
}

// The machine may take what its pod was scheduled with and no more; a program
// without a limit of its own makes it want more.
func TestAMachineThatTheNodeEndsForWantOfMemoryIsOOMKilled(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, func(c *cri.PodSandboxConfig) {
		c.Linux.Resources.MemoryLimitInBytes = 512 << 20
		c.Linux.Overhead = &cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20} // less than the guest has: nothing for the emulator
	})
	volumes := p.kubeletVolumes()
	id := p.run("main", "sleep 1; dd if=/dev/zero of=/dev/null bs=500M count=1", func(c *cri.ContainerConfig) {
		c.Mounts = []*cri.Mount{volumes["log"]}
	})
	if status := p.exits(id); status.GetExitCode() != 137 || status.GetReason() != "OOMKilled" {
		t.Errorf("got %v", status)
	}
	if text, err := os.ReadFile(volumes["log"].GetHostPath()); err != nil || !strings.Contains(string(text), "of the 651 MiB") {
		t.Errorf("the last message is %q, %v", text, err)
	}
	eventually(t, "the log says so", 10*time.Second, func() bool { // after the exit
		return strings.Contains(n.log.String(), "The node ended the pod's virtual machine")
	})
	p.remove()
	nothingLeft(t)
}

func TestAShimThatIsKilledLeavesNothing(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "sleep 1000", nil)
	killAll(t, "containerd-shim-hyper")
	if status := p.exits(id); status.GetExitCode() == 0 {
		t.Errorf("got %v", status)
	}
	eventually(t, "the emulator is gone", 5*time.Second, func() bool { return len(processes(t, "qemu-system")) == 0 })
	eventually(t, "the sandbox is not ready", 10*time.Second, func() bool { return !p.ready() })
	p.remove()
	nothingLeft(t)
}

func TestAShimIsCleanedUpWhereItWasStarted(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "sleep 1000", nil)
	set(t, map[string]any{"vm_dir": "/run/hypernetes/other"})
	killAll(t, "containerd-shim-hyper")
	p.exits(id)
	eventually(t, "the sandbox is not ready", 10*time.Second, func() bool { return !p.ready() })
	p.remove()
	nothingLeft(t)
}

func TestMachinesSurviveContainerd(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done", nil)
	before := processes(t, "qemu-system")
	n.kill(t)
	time.Sleep(time.Second)
	n.start(t)
	after := processes(t, "qemu-system")
	if len(before) != 1 || len(after) != 1 {
		t.Fatalf("before %v, after %v", before, after)
	}
	if status := p.status(id); status.GetState() != cri.ContainerState_CONTAINER_RUNNING || !p.ready() {
		t.Fatalf("got %v", status)
	}
	if out, _, code := p.exec(id, "echo", "still here"); code != 0 || out != "still here\n" {
		t.Errorf("exec: %q, %d", out, code)
	}
	lines := strings.Count(p.log("main"), "\n")
	eventually(t, "the log goes on", 10*time.Second, func() bool { return strings.Count(p.log("main"), "\n") > lines+3 })
	if _, err := p.runtime.StopContainer(within(t, time.Minute), &cri.StopContainerRequest{ContainerId: id}); err != nil {
		t.Fatal(err)
	}
	if status := p.exits(id); status.GetExitCode() != 137 {
		t.Errorf("got %v", status)
	}
	p.remove()
	nothingLeft(t)
}

func TestAShimAndContainerdKilledTogetherLeaveNothing(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	p.run("main", "sleep 1000", nil)
	n.kill(t)
	killAll(t, "containerd-shim-hyper")
	n.start(t)
	eventually(t, "the sandbox is not ready", 10*time.Second, func() bool { return !p.ready() })
	p.remove()
	nothingLeft(t)
}

func TestContainerdKilledWhileAMachineBoots(t *testing.T) {
	n := newNode(t)
	failed := n.bootAside(t)
	n.kill(t)
	<-failed
	n.start(t)
	n.removeAll(t) // as the kubelet does with a sandbox that is not ready
	nothingLeft(t)
	p := n.newPod(t, nil)
	if status := p.exits(p.run("main", "exit 0", nil)); status.GetExitCode() != 0 {
		t.Errorf("afterwards: %v", status)
	}
	p.remove()
}

func TestAShimKilledWhileItsMachineBoots(t *testing.T) {
	n := newNode(t)
	failed := n.bootAside(t)
	killAll(t, "containerd-shim-hyper")
	<-failed
	n.removeAll(t)
	nothingLeft(t)
}

// bootAside asks for a pod and returns when its machine boots.
func (n *node) bootAside(t *testing.T) <-chan struct{} {
	t.Helper()
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		if _, err := n.tryPod(t, nil); err == nil {
			t.Error("the pod came up")
		}
	}()
	eventually(t, "the machine boots", time.Minute, func() bool { return len(processes(t, "qemu-system")) > 0 })
	return failed
}

// killAll kills this test's own processes: it runs in a process namespace of
// its own, so no others are to be seen.
func killAll(t *testing.T, word string) {
	t.Helper()
	found := processes(t, word)
	if len(found) == 0 {
		t.Fatalf("no process %q", word)
	}
	for text := range found {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}
