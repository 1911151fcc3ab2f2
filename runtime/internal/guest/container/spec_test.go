// SPDX-License-Identifier: Apache-2.0

package container

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func given(change func(*specs.Spec)) []byte {
	spec := specs.Spec{
		Version: "1.1.0", Hostname: "host", Annotations: map[string]string{"a": "b"},
		Process: &specs.Process{Args: []string{"/bin/true"}, ApparmorProfile: "cri-containerd", SelinuxLabel: "label"},
		Root:    &specs.Root{Path: "/host/rootfs", Readonly: true},
		Hooks:   &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/evil"}}},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm"},
			{Destination: "/etc/hosts", Type: "bind", Source: "/var/lib/kubelet/x"},
			{Destination: "/data", Type: "ext4", Source: "/dev/sda"},
		},
		Linux: &specs.Linux{
			CgroupsPath: "/kubepods/x",
			Sysctl:      map[string]string{"net.x": "1"},
			Namespaces:  []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/var/run/netns/x"}, {Type: specs.UserNamespace}},
			Devices:     []specs.LinuxDevice{{Path: "/dev/sda"}},
			Resources:   &specs.LinuxResources{},
		},
	}
	if change != nil {
		change(&spec)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // a literal of this file
	}
	return text
}

func TestNothingOfTheHostIsLeftInASpec(t *testing.T) {
	spec, err := prepare(given(nil), placement{rootfs: "/run/b/rootfs", cgroup: "/pod/c", shared: "/dev/shm"})
	if err != nil {
		t.Fatal(err)
	}
	if spec.Root.Path != "/run/b/rootfs" || !spec.Root.Readonly {
		t.Errorf("root %+v", spec.Root)
	}
	if spec.Hooks != nil || spec.Annotations != nil || spec.Hostname != "" || len(spec.Linux.Sysctl) != 0 || len(spec.Linux.Devices) != 0 {
		t.Errorf("left: %+v", spec)
	}
	if spec.Version != runtimeSpec {
		t.Errorf("crun would refuse version %s", spec.Version)
	}
	if spec.Process.ApparmorProfile != "" || spec.Process.SelinuxLabel != "" {
		t.Errorf("security labels left: %+v", spec.Process)
	}
	for _, mount := range spec.Mounts {
		if mount.Type == "ext4" || mount.Source == "/var/lib/kubelet/x" {
			t.Errorf("mount left: %+v", mount)
		}
	}
	var kinds []string
	for _, namespace := range spec.Linux.Namespaces {
		kinds = append(kinds, string(namespace.Type))
		if namespace.Path != "" {
			t.Errorf("namespace of the host: %+v", namespace)
		}
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []string{"cgroup", "mount", "pid"}) {
		t.Errorf("namespaces %v", kinds)
	}
}

func TestThePodsSharedMemoryIsMountedOnce(t *testing.T) {
	for name, binds := range map[string][]bind{
		"by default":   nil,
		"by the host":  {{source: "/dev/shm", destination: "/dev/shm"}},
		"as a volume":  {{source: "/volume", destination: "/dev/shm/"}},
		"beside files": {{source: "/volume", destination: "/etc/hosts", readOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			count := 0
			for _, mount := range mounts(nil, placement{shared: "/dev/shm", binds: binds}) {
				if mount.Destination == "/dev/shm" || mount.Destination == "/dev/shm/" {
					count++
				}
			}
			if count != 1 {
				t.Errorf("%d mounts", count)
			}
		})
	}
}

func TestAVolumeIsBoundAsTheHostSays(t *testing.T) {
	got := mounts(nil, placement{shared: "/dev/shm", binds: []bind{
		{source: "/a", destination: "/x", readOnly: true},
		{source: "/b", destination: "/y", propagation: "rslave"},
	}})
	if !slices.Equal(got[0].Options, []string{"rbind", "rprivate", "ro"}) || !slices.Equal(got[1].Options, []string{"rbind", "rslave", "rw"}) {
		t.Errorf("got %+v", got)
	}
}

func TestAVolumeComesBeforeWhatIsMountedInIt(t *testing.T) {
	var order []string
	for _, mount := range mounts([]specs.Mount{{Destination: "/proc", Type: "proc"}}, placement{shared: "/s", binds: []bind{
		{source: "/h", destination: "/etc/hosts"}, {source: "/e", destination: "/etc"}, {source: "/r", destination: "/"},
	}}) {
		order = append(order, mount.Destination)
	}
	if want := []string{"/", "/proc", "/etc", "/dev/shm", "/etc/hosts"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

func TestOnlyLimitsThatTheGuestCanHoldStay(t *testing.T) {
	memory, swappiness, quota, pids := int64(64<<20), uint64(10), int64(50000), int64(100)
	got := resources(&specs.LinuxResources{
		Memory:         &specs.LinuxMemory{Limit: &memory, Swappiness: &swappiness},
		CPU:            &specs.LinuxCPU{Quota: &quota, Cpus: "8-9"},
		Pids:           &specs.LinuxPids{Limit: &pids},
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB"}},
		Devices:        []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}},
	})
	if *got.Memory.Limit != memory || got.Memory.Swappiness != nil {
		t.Errorf("memory %+v", got.Memory)
	}
	if *got.CPU.Quota != quota || got.CPU.Cpus != "" || *got.Pids.Limit != pids || got.HugepageLimits != nil {
		t.Errorf("got %+v", got)
	}
	if len(got.Devices) != 1 || got.Devices[0].Allow {
		t.Errorf("devices %+v", got.Devices)
	}
}

func TestASpecWithoutACommandIsRefused(t *testing.T) {
	for name, raw := range map[string][]byte{
		"no JSON":      []byte("{"),
		"no process":   []byte("{}"),
		"no arguments": given(func(s *specs.Spec) { s.Process.Args = nil }),
	} {
		if _, err := prepare(raw, placement{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := execProcess([]byte(`{"args": []}`), false); !errors.Is(err, ErrInvalid) {
		t.Errorf("exec: %v", err)
	}
}

func TestASharedProcessNamespaceIsJoined(t *testing.T) {
	spec, err := prepare(given(nil), placement{pidPath: "/proc/7/ns/pid"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace, Path: "/proc/7/ns/pid"}) {
		t.Errorf("got %+v", spec.Linux.Namespaces)
	}
}
