// SPDX-License-Identifier: Apache-2.0

package container

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func given(change func(*specs.Spec)) []byte {
	burst := uint64(20000)
	spec := specs.Spec{
		Version: "1.1.0",
		Process: &specs.Process{Args: []string{"/bin/true"}},
		Root:    &specs.Root{Path: "rootfs", Readonly: true},
		Mounts:  []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}, {Destination: "/dev/shm", Type: "tmpfs", Source: "shm"}},
		Linux: &specs.Linux{
			Namespaces:  []specs.LinuxNamespace{{Type: specs.MountNamespace}},
			Resources:   &specs.LinuxResources{CPU: &specs.LinuxCPU{Burst: &burst}},
			MaskedPaths: []string{"/proc/kcore"},
			Personality: &specs.LinuxPersonality{Domain: specs.PerLinux32},
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

func TestAContainerIsPlacedInTheGuest(t *testing.T) {
	spec, err := prepare(given(nil), placement{rootfs: "/run/b/rootfs", cgroup: "/pod/c", shared: "/dev/shm"})
	if err != nil {
		t.Fatal(err)
	}
	if spec.Root.Path != "/run/b/rootfs" || !spec.Root.Readonly || spec.Linux.CgroupsPath != "/pod/c" {
		t.Errorf("root %+v, cgroup %s", spec.Root, spec.Linux.CgroupsPath)
	}
	if spec.Version != runtimeSpec {
		t.Errorf("crun would refuse version %s", spec.Version)
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

// What a specification may hold is decided once, by the host: the guest dropped a burst
// that the host had left in, and kept a personality that the host had dropped.
func TestTheGuestKeepsWhatTheHostDecided(t *testing.T) {
	spec, err := prepare(given(nil), placement{})
	if err != nil {
		t.Fatal(err)
	}
	if cpu := spec.Linux.Resources.CPU; cpu == nil || cpu.Burst == nil || *cpu.Burst != 20000 {
		t.Errorf("CPU %+v", cpu)
	}
	if spec.Linux.Personality == nil || len(spec.Linux.MaskedPaths) != 1 {
		t.Errorf("got %+v", spec.Linux)
	}
	if spec.Linux.Resources.Unified["memory.oom.group"] != "1" {
		t.Errorf("cgroup files %v", spec.Linux.Resources.Unified)
	}
}

func TestOnlyAPrivilegedContainerHasTheMachinesDevices(t *testing.T) {
	for privileged, rule := range map[bool]specs.LinuxDeviceCgroup{true: {Allow: true, Access: "rwm"}, false: {Allow: false, Access: "rwm"}} {
		spec, err := prepare(given(func(s *specs.Spec) { s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{rule} }), placement{})
		if err != nil {
			t.Fatal(err)
		}
		null := slices.ContainsFunc(spec.Linux.Devices, func(d specs.LinuxDevice) bool { return d.Path == "/dev/null" && d.Major == 1 && d.Minor == 3 })
		if null != privileged || (len(spec.Linux.Devices) > 0) != privileged {
			t.Errorf("privileged %t: %+v", privileged, spec.Linux.Devices)
		}
		for _, device := range spec.Linux.Devices {
			if strings.HasPrefix(device.Path, "/dev/pts/") || strings.HasPrefix(device.Path, "/dev/vport") || device.Path == "/dev/console" {
				t.Errorf("%s is not the container's", device.Path)
			}
		}
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
