// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// cgroupParent is this run's own: the hierarchies are the host's, where other runs may be.
var cgroupParent = filepath.Base(os.Getenv(innerEnv)) + "/pod"

// pod is one sandbox with what its containers need.
type pod struct {
	*node
	t      *testing.T
	id     string
	config *cri.PodSandboxConfig
	logs   string
}

var podNumber int

func (n *node) newPod(t *testing.T, change func(*cri.PodSandboxConfig)) *pod {
	t.Helper()
	p, err := n.tryPod(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (n *node) tryPod(t *testing.T, change func(*cri.PodSandboxConfig)) (*pod, error) {
	t.Helper()
	podNumber++
	name := fmt.Sprintf("pod-%d", podNumber)
	logs := filepath.Join(os.Getenv(innerEnv), "logs", name)
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	makeCgroup(t)
	config := &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: name, Uid: "uid-" + name, Namespace: "test"},
		Hostname: name, LogDirectory: logs,
		DnsConfig: &cri.DNSConfig{Servers: []string{"10.77.0.9"}, Searches: []string{"test.svc"}},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: "/" + cgroupParent, SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: &cri.NamespaceOption{
				Pid: cri.NamespaceMode_CONTAINER}},
			Resources: &cri.LinuxContainerResources{},
		},
	}
	if change != nil {
		change(config)
	}
	answer, err := n.runtime.RunPodSandbox(within(t, 2*time.Minute), &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: "hyper"})
	if err != nil {
		return nil, err
	}
	return &pod{node: n, t: t, id: answer.GetPodSandboxId(), config: config, logs: logs}, nil
}

func makeCgroup(t *testing.T) {
	t.Helper()
	points, err := filepath.Glob("/sys/fs/cgroup/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range points {
		if info, err := os.Stat(filepath.Join(point, "cgroup.procs")); err != nil || info.IsDir() {
			continue
		}
		pod := filepath.Join(point, cgroupParent)
		if err := os.MkdirAll(pod, 0o755); err != nil {
			t.Fatal(err)
		}
		// As the kubelet does: a version 1 cpuset starts empty.
		for _, dir := range []string{filepath.Dir(pod), pod} {
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file)); err == nil {
					_ = os.WriteFile(filepath.Join(dir, file), text, 0o644) // version 2 has it empty
				}
			}
		}
	}
	t.Cleanup(func() {
		for _, point := range points {
			_ = os.Remove(filepath.Join(point, cgroupParent)) // not empty while another pod runs
			_ = os.Remove(filepath.Dir(filepath.Join(point, cgroupParent)))
		}
	})
}

// container makes a container that runs a shell script.
func (p *pod) container(name, script string, change func(*cri.ContainerConfig)) string {
	p.t.Helper()
	id, err := p.tryContainer(name, script, change)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

func (p *pod) tryContainer(name, script string, change func(*cri.ContainerConfig)) (string, error) {
	p.t.Helper()
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name}, Image: &cri.ImageSpec{Image: image},
		Command: []string{"sh", "-c", script}, LogPath: name + ".log",
		Linux: &cri.LinuxContainerConfig{
			Resources:       &cri.LinuxContainerResources{},
			SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER}},
		},
	}
	if change != nil {
		change(config)
	}
	answer, err := p.runtime.CreateContainer(within(p.t, time.Minute),
		&cri.CreateContainerRequest{PodSandboxId: p.id, Config: config, SandboxConfig: p.config})
	return answer.GetContainerId(), err
}

func (p *pod) start(id string) {
	p.t.Helper()
	if err := p.tryStart(id); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) tryStart(id string) error {
	_, err := p.runtime.StartContainer(within(p.t, time.Minute), &cri.StartContainerRequest{ContainerId: id})
	return err
}

func (p *pod) run(name, script string, change func(*cri.ContainerConfig)) string {
	p.t.Helper()
	id := p.container(name, script, change)
	p.start(id)
	return id
}

func (p *pod) status(id string) *cri.ContainerStatus {
	p.t.Helper()
	answer, err := p.runtime.ContainerStatus(within(p.t, 10*time.Second), &cri.ContainerStatusRequest{ContainerId: id})
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.GetStatus()
}

// exits waits for a container to exit and returns its status.
func (p *pod) exits(id string) *cri.ContainerStatus {
	p.t.Helper()
	eventually(p.t, "the container exits", time.Minute, func() bool {
		return p.status(id).GetState() == cri.ContainerState_CONTAINER_EXITED
	})
	return p.status(id)
}

func (p *pod) exec(id string, command ...string) (stdout, stderr string, code int32) {
	p.t.Helper()
	answer, err := p.runtime.ExecSync(within(p.t, time.Minute), &cri.ExecSyncRequest{ContainerId: id, Cmd: command, Timeout: 50})
	if err != nil {
		p.t.Fatal(err)
	}
	return string(answer.GetStdout()), string(answer.GetStderr()), answer.GetExitCode()
}

func (p *pod) log(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.logs, name+".log"))
	if err != nil {
		p.t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		// "time stream flag text": see the CRI logging format.
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 {
			text.WriteString(fields[1] + ":" + fields[3])
		}
	}
	return text.String()
}

func (p *pod) remove() {
	p.t.Helper()
	if _, err := p.runtime.StopPodSandbox(within(p.t, time.Minute), &cri.StopPodSandboxRequest{PodSandboxId: p.id}); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.runtime.RemovePodSandbox(within(p.t, time.Minute), &cri.RemovePodSandboxRequest{PodSandboxId: p.id}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) ready() bool {
	p.t.Helper()
	answer, err := p.runtime.PodSandboxStatus(within(p.t, 10*time.Second), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.GetStatus().GetState() == cri.PodSandboxState_SANDBOX_READY
}
