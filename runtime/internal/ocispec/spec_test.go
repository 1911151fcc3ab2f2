// SPDX-License-Identifier: Apache-2.0

package ocispec

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var pidsOfPod = Pids{Sandbox: 100, Task: 200}

// host is a specification like the ones containerd's CRI plug-in writes.
func host(change func(*specs.Spec)) *specs.Spec {
	limit, shares := int64(64<<20), uint64(512)
	major, minor := int64(1), int64(3)
	spec := &specs.Spec{
		Version:     "1.2.0",
		Process:     &specs.Process{Args: []string{"sh"}, Cwd: "/", ApparmorProfile: "cri", SelinuxLabel: "x:y"},
		Root:        &specs.Root{Path: "rootfs", Readonly: true},
		Hostname:    "pod",
		Hooks:       &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/true"}}},
		Annotations: map[string]string{"io.kubernetes.cri.sandbox-id": "abc"},
		Mounts: []specs.Mount{
			{Type: "proc", Source: "proc", Destination: "/proc"},
			{Type: "tmpfs", Source: "/etc", Destination: "/dev"},
			{Type: "bind", Source: "/var/lib/kubelet/pods/u/etc-hosts", Destination: "/etc/hosts", Options: []string{"rbind", "rw"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: "/kubepods/podu/abc",
			Resources: &specs.LinuxResources{
				Memory:  &specs.LinuxMemory{Limit: &limit, Swap: &limit},
				CPU:     &specs.LinuxCPU{Shares: &shares, Cpus: "0-1"},
				Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}, {Allow: true, Type: "c", Major: &major, Minor: &minor, Access: "rwm"}},
				Unified: map[string]string{"memory.high": "1"},
			},
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
				{Type: specs.NetworkNamespace, Path: "/var/run/netns/cni-1"},
				{Type: specs.IPCNamespace, Path: "/proc/100/ns/ipc"},
				{Type: specs.UTSNamespace, Path: "/proc/100/ns/uts"},
			},
			Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, ListenerPath: "/run/x.sock"},
		},
	}
	if change != nil {
		change(spec)
	}
	return spec
}

func TestNothingOfTheHostReachesTheGuest(t *testing.T) {
	got, err := Sanitize(host(nil), pidsOfPod)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"/kubepods", "netns", "/proc/100", "hooks", "poststop", "annotations", "x:y", "cri", "x.sock",
		"0-1", "memory.high", "kubelet", "/etc", `"allow":true`} {
		if strings.Contains(string(text), word) {
			t.Errorf("%q is still in %s", word, text)
		}
	}
	if len(got.Binds) != 1 || got.Binds[0].Destination != "/etc/hosts" {
		t.Errorf("unexpected bind mounts %v", got.Binds)
	}
	if !got.Spec.Root.Readonly || *got.Spec.Linux.Resources.Memory.Limit != 64<<20 || got.Spec.Linux.Seccomp == nil {
		t.Errorf("a limit of the container was lost: %s", text)
	}
}

func TestOnlyLimitsThatTheGuestCanHoldStay(t *testing.T) {
	memory, swappiness, quota, burst, pids := int64(64<<20), uint64(10), int64(50000), uint64(20000), int64(100)
	spec := host(func(s *specs.Spec) {
		s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
		s.Linux.Resources = &specs.LinuxResources{
			Memory:         &specs.LinuxMemory{Limit: &memory, Swappiness: &swappiness},
			CPU:            &specs.LinuxCPU{Quota: &quota, Burst: &burst, Cpus: "8-9"},
			Pids:           &specs.LinuxPids{Limit: &pids},
			HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB"}},
			Devices:        []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Access: "rwm", Major: &quota}},
		}
	})
	made, err := Sanitize(spec, pidsOfPod)
	if err != nil {
		t.Fatal(err)
	}
	got := made.Spec.Linux.Resources
	if *got.Memory.Limit != memory || got.Memory.Swappiness != nil {
		t.Errorf("memory %+v", got.Memory)
	}
	if *got.CPU.Quota != quota || *got.CPU.Burst != burst || got.CPU.Cpus != "" || *got.Pids.Limit != pids || got.HugepageLimits != nil {
		t.Errorf("got %+v", got)
	}
	if len(got.Devices) != 1 || got.Devices[0].Allow || made.Spec.Linux.Personality != nil {
		t.Errorf("devices %+v, personality %v", got.Devices, made.Spec.Linux.Personality)
	}
}

func TestAPrivilegedContainerHasAllDevicesOfTheMachine(t *testing.T) {
	spec := host(func(s *specs.Spec) {
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}, {Allow: true, Access: "rwm"}}
	})
	made, err := Sanitize(spec, pidsOfPod)
	if err != nil {
		t.Fatal(err)
	}
	if got := made.Spec.Linux.Resources.Devices; len(got) != 1 || !got[0].Allow {
		t.Errorf("got %+v", got)
	}
	if made.Spec.Linux.Devices != nil {
		t.Errorf("the host's devices %+v", made.Spec.Linux.Devices)
	}
}

func namespace(kind specs.LinuxNamespaceType, path string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Namespaces = []specs.LinuxNamespace{{Type: kind, Path: path}}
	}
}

func TestSanitize(t *testing.T) {
	cases := []struct {
		name   string
		change func(*specs.Spec)
		fault  string
		pid    PID
	}{
		{name: "an own process namespace", pid: PIDOwn},
		{name: "the pod's process namespace", change: namespace(specs.PIDNamespace, "/proc/100/ns/pid"), pid: PIDPod},
		{name: "a container's process namespace", change: namespace(specs.PIDNamespace, "/proc/200/ns/pid"), pid: PIDTarget},
		{name: "a foreign process namespace", change: namespace(specs.PIDNamespace, "/proc/1/ns/pid"), fault: "not the pod's"},
		{name: "the host's process namespace", change: namespace(specs.MountNamespace, ""), fault: "hostPID"},
		{name: "a user namespace", change: namespace(specs.UserNamespace, ""), fault: "user namespaces"},
		{name: "id mappings", change: func(s *specs.Spec) { s.Linux.UIDMappings = []specs.LinuxIDMapping{{}} }, fault: "hostUsers"},
		{name: "host devices", change: func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{}} }, fault: "device plug-ins"},
		{name: "no command", change: func(s *specs.Spec) { s.Process.Args = nil }, fault: "no command"},
		{name: "Windows", change: func(s *specs.Spec) { s.Windows = &specs.Windows{} }, fault: "only Linux"},
		{name: "a foreign mount type", change: mount("nfs", "/mnt"), fault: `"nfs"`},
		{name: "a relative destination", change: mount("tmpfs", "mnt"), fault: "clean absolute"},
		{name: "a destination that climbs", change: mount("tmpfs", "/a/../../b"), fault: "clean absolute"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Sanitize(host(c.change), pidsOfPod)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("want an error that names %q, got %v", c.fault, err)
				}
				return
			}
			if err != nil || got.PID != c.pid {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}

func mount(kind, destination string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Mounts = append(s.Mounts, specs.Mount{Type: kind, Destination: destination}) }
}
