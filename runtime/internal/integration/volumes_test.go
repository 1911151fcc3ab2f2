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

	"golang.org/x/sys/unix"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// kubeletVolumes lays volumes out as the kubelet does and returns their mounts.
func (p *pod) kubeletVolumes() map[string]*cri.Mount {
	p.t.Helper()
	home := filepath.Join("/var/lib/kubelet/pods", p.config.GetMetadata().GetUid())
	config := filepath.Join(home, "volumes/kubernetes.io~configmap/config")
	token := filepath.Join(home, "volumes/kubernetes.io~projected/kube-api-access-x")
	cache := p.emptyDir("cache")
	memory := filepath.Join(home, "volumes/kubernetes.io~empty-dir/memory")
	log := filepath.Join(home, "containers/main/0")
	for _, dir := range []string{filepath.Join(config, "..2026"), filepath.Join(token, "..2026"), memory, filepath.Dir(log)} {
		must(p.t, os.MkdirAll(dir, 0o755))
	}
	must(p.t, unix.Mount("tmpfs", memory, "tmpfs", 0, "size=8m"))
	p.t.Cleanup(func() { _ = unix.Unmount(memory, unix.MNT_DETACH) })
	for path, text := range map[string]string{
		filepath.Join(config, "..2026/key"): "value", filepath.Join(token, "..2026/token"): "secret",
		filepath.Join(home, "etc-hosts"): "10.77.0.1 gateway\n", log: "",
	} {
		must(p.t, os.WriteFile(path, []byte(text), 0o640))
	}
	for dir, name := range map[string]string{config: "key", token: "token"} {
		must(p.t, os.Symlink("..2026", filepath.Join(dir, "..data")))
		must(p.t, os.Symlink("..data/"+name, filepath.Join(dir, name)))
	}
	return map[string]*cri.Mount{
		"config": {ContainerPath: "/config", HostPath: config, Readonly: true},
		"token":  {ContainerPath: "/var/run/secrets/kubernetes.io/serviceaccount", HostPath: token, Readonly: true},
		"cache":  cache,
		"memory": {ContainerPath: "/memory", HostPath: memory},
		"hosts":  {ContainerPath: "/etc/hosts", HostPath: filepath.Join(home, "etc-hosts")},
		"log":    {ContainerPath: "/dev/termination-log", HostPath: log},
	}
}

// emptyDir makes an emptyDir as the kubelet does, and returns its mount.
func (p *pod) emptyDir(name string) *cri.Mount {
	p.t.Helper()
	path := filepath.Join("/var/lib/kubelet/pods", p.config.GetMetadata().GetUid(), "volumes/kubernetes.io~empty-dir", name)
	must(p.t, os.MkdirAll(path, 0o777))
	return &cri.Mount{ContainerPath: "/" + name, HostPath: path}
}

// forget removes a pod's volumes as the kubelet does.
func (p *pod) forget() {
	p.t.Helper()
	must(p.t, os.RemoveAll(filepath.Join("/var/lib/kubelet/pods", p.config.GetMetadata().GetUid())))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVolumes(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	volumes := p.kubeletVolumes()
	all := func(c *cri.ContainerConfig) {
		for _, mount := range volumes {
			c.Mounts = append(c.Mounts, mount)
		}
	}
	id := p.run("main", "echo last words > /dev/termination-log; touch /cache/ready; while [ ! -e /cache/end ]; do sleep 0.1; done", all)
	other := p.run("other", "sleep 1000", func(c *cri.ContainerConfig) { c.Mounts = []*cri.Mount{volumes["cache"], volumes["memory"]} })
	for _, c := range []struct{ script, want string }{
		{"cat /config/key", "value"},
		{"readlink /config/..data", "..2026\n"},
		{"cat /var/run/secrets/kubernetes.io/serviceaccount/token", "secret"},
		{"cat /etc/hosts", "10.77.0.1 gateway\n"},
		{"stat -c %a /config/..data/key", "640\n"},
		{"touch /config/new 2>/dev/null || echo refused", "refused\n"},
		{"echo data > /memory/x && df -m /memory | tail -1 | awk '{print $2}'", "8\n"},
		{"df /cache | tail -1 | awk '{print $1}' | cut -c1-7", "/dev/sd\n"},
	} {
		if out, stderr, _ := p.exec(id, "sh", "-c", c.script); out != c.want {
			t.Errorf("%s: %q, %q; want %q", c.script, out, stderr, c.want)
		}
	}
	if out, _, _ := p.exec(other, "sh", "-c", "ls -A /cache; cat /memory/x"); out != "ready\ndata\n" {
		t.Errorf("the other container sees %q", out)
	}
	t.Run("a change on the host reaches the container", func(t *testing.T) {
		p := p.in(t)
		config := volumes["config"].GetHostPath()
		must(t, os.Mkdir(filepath.Join(config, "..2027"), 0o755))
		must(t, os.WriteFile(filepath.Join(config, "..2027/key"), []byte("changed"), 0o640))
		must(t, os.Symlink("..2027", filepath.Join(config, "..next")))
		must(t, os.Rename(filepath.Join(config, "..next"), filepath.Join(config, "..data")))
		must(t, os.WriteFile(volumes["hosts"].GetHostPath(), []byte("10.77.0.1 changed\n"), 0o640))
		eventually(t, "the change", 40*time.Second, func() bool {
			out, _, _ := p.exec(id, "cat", "/config/key", "/etc/hosts")
			return out == "changed10.77.0.1 changed\n"
		})
	})
	p.exec(other, "touch", "/cache/end")
	if status := p.exits(id); status.GetExitCode() != 0 {
		t.Errorf("got %v", status)
	}
	if text, err := os.ReadFile(volumes["log"].GetHostPath()); err != nil || string(text) != "last words\n" {
		t.Errorf("termination log %q, %v", text, err)
	}
	for mount, disks := range map[string]int{"cache": 1, "memory": 0} {
		if entries, err := os.ReadDir(volumes[mount].GetHostPath()); err != nil || len(entries) != disks {
			t.Errorf("the host's %s holds %v, %v", mount, entries, err)
		}
	}
	p.remove()
	nothingLeft(t)
}

func TestTheHostIsOutOfReach(t *testing.T) {
	n := newNode(t)
	for fault, change := range map[string]func(*cri.LinuxSandboxSecurityContext){
		"hostNetwork": func(c *cri.LinuxSandboxSecurityContext) { c.NamespaceOptions.Network = cri.NamespaceMode_NODE },
		"hostPID":     func(c *cri.LinuxSandboxSecurityContext) { c.NamespaceOptions.Pid = cri.NamespaceMode_NODE },
		"hostIPC":     func(c *cri.LinuxSandboxSecurityContext) { c.NamespaceOptions.Ipc = cri.NamespaceMode_NODE },
	} {
		_, err := n.tryPod(t, func(c *cri.PodSandboxConfig) { change(c.Linux.SecurityContext) })
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	p := n.newPod(t, func(c *cri.PodSandboxConfig) { c.Linux.SecurityContext.Privileged = true })
	cases := []struct {
		name, fault string
		change      func(*cri.ContainerConfig)
	}{
		{"a host path", "host path", func(c *cri.ContainerConfig) {
			c.Mounts = []*cri.Mount{{ContainerPath: "/host", HostPath: "/etc"}}
		}},
		{"another pod's volume", "host path", func(c *cri.ContainerConfig) {
			c.Mounts = []*cri.Mount{{ContainerPath: "/x", HostPath: "/var/lib/kubelet/pods/other/volumes/kubernetes.io~secret/s"}}
		}},
		{"a host device", "host devices", func(c *cri.ContainerConfig) {
			c.Devices = []*cri.Device{{HostPath: "/dev/kmsg", ContainerPath: "/dev/kmsg", Permissions: "r"}}
		}},
	}
	for i, c := range cases {
		for _, privileged := range []bool{false, true} {
			id, err := p.tryContainer(fmt.Sprintf("refused-%d-%t", i, privileged), "true", func(config *cri.ContainerConfig) {
				config.Linux.SecurityContext.Privileged = privileged
				c.change(config)
			})
			if err == nil {
				err = p.tryStart(id)
			}
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s, privileged %t: %v", c.name, privileged, err)
			}
		}
	}
	if status := p.exits(p.run("ordinary", "exit 0", nil)); status.GetExitCode() != 0 {
		t.Errorf("an ordinary container: %v", status)
	}
	p.remove()
	nothingLeft(t)
}

func TestWithoutARecordThereIsNoPod(t *testing.T) {
	n := newNode(t)
	plugin := "/run/test/cni/bin/cni-test"
	real, err := os.Readlink(plugin)
	must(t, err)
	must(t, os.Remove(plugin))
	t.Cleanup(func() { must(t, os.Remove(plugin)); must(t, os.Symlink(real, plugin)) })
	must(t, os.WriteFile(plugin, []byte("#!/bin/sh\n"+real+" && rm -f /run/hypernetes/sandboxes/$CNI_CONTAINERID.json\n"), 0o755))
	if _, err := n.tryPod(t, nil); err == nil || !strings.Contains(err.Error(), "no sandbox record") {
		t.Fatalf("got %v", err)
	}
	nothingLeft(t)
}
