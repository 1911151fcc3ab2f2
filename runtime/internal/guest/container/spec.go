// SPDX-License-Identifier: Apache-2.0

package container

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	sharedMemory = "/dev/shm"
	defaultPath  = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// Debian's crun refuses a specification of a later minor version, as containerd
	// writes it, but reads what prepare keeps of it.
	runtimeSpec = "1.0.2"
)

// Only these make sense inside the guest; every bind mount of the host's spec
// named a path of the host.
var kernelFileSystems = []string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "tmpfs"}

// bind is a mount of a volume, resolved to a path of the guest.
type bind struct {
	source, destination string
	readOnly            bool
	propagation         string
}

// placement is what the guest decides about a container, regardless of the spec.
type placement struct {
	rootfs  string
	cgroup  string
	pidPath string // namespace to join; "" creates one
	shared  string // the pod's shared memory
	binds   []bind
}

// prepare converts the spec that containerd made for the host into one for this guest.
// The network, IPC and UTS namespaces of the pod are the guest's own, so the container
// gets none of these.
func prepare(raw []byte, place placement) (*specs.Spec, error) {
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("%w OCI spec: %w", ErrInvalid, err)
	}
	if spec.Process == nil || len(spec.Process.Args) == 0 {
		return nil, fmt.Errorf("%w OCI spec: no process", ErrInvalid)
	}
	spec.Version = runtimeSpec
	readOnly := spec.Root != nil && spec.Root.Readonly
	spec.Root = &specs.Root{Path: place.rootfs, Readonly: readOnly}
	spec.Hooks = nil
	spec.Annotations = nil
	spec.Hostname, spec.Domainname = "", ""
	cleanProcess(spec.Process)
	spec.Mounts = mounts(spec.Mounts, place)
	spec.Linux = linux(spec.Linux, place)
	return &spec, nil
}

// cleanProcess removes what names security modules of the host's kernel.
func cleanProcess(process *specs.Process) {
	process.SelinuxLabel, process.ApparmorProfile = "", ""
	if process.Cwd == "" {
		process.Cwd = "/"
	}
	if !slices.ContainsFunc(process.Env, func(v string) bool { return len(v) >= 5 && v[:5] == "PATH=" }) {
		process.Env = append(process.Env, defaultPath)
	}
}

func mounts(given []specs.Mount, place placement) []specs.Mount {
	var kept []specs.Mount
	for _, m := range given {
		if slices.Contains(kernelFileSystems, m.Type) && path.Clean(m.Destination) != sharedMemory {
			kept = append(kept, m)
		}
	}
	hasShared := slices.ContainsFunc(place.binds, func(b bind) bool { return path.Clean(b.destination) == sharedMemory })
	binds := place.binds
	if !hasShared {
		binds = append([]bind{{source: place.shared, destination: sharedMemory}}, binds...)
	}
	for _, b := range binds {
		access, propagation := "rw", b.propagation
		if b.readOnly {
			access = "ro"
		}
		if propagation == "" {
			propagation = "rprivate"
		}
		kept = append(kept, specs.Mount{
			Destination: b.destination,
			Type:        "bind",
			Source:      b.source,
			Options:     []string{"rbind", propagation, access},
		})
	}
	// In containerd's order: a volume at /etc comes before the files in it.
	slices.SortStableFunc(kept, func(a, b specs.Mount) int { return depth(a.Destination) - depth(b.Destination) })
	return kept
}

// depth counts the parts of a path.
func depth(name string) int {
	clean := path.Clean(name)
	if clean == "/" {
		return 0
	}
	return strings.Count(clean, "/")
}

func linux(given *specs.Linux, place placement) *specs.Linux {
	if given == nil {
		given = &specs.Linux{}
	}
	return &specs.Linux{
		CgroupsPath: place.cgroup,
		Namespaces: []specs.LinuxNamespace{
			{Type: specs.MountNamespace},
			{Type: specs.CgroupNamespace},
			{Type: specs.PIDNamespace, Path: place.pidPath},
		},
		Resources:     resources(given.Resources),
		Seccomp:       given.Seccomp,
		MaskedPaths:   given.MaskedPaths,
		ReadonlyPaths: given.ReadonlyPaths,
		Personality:   given.Personality,
	}
}

// resources keeps the limits that cgroup v2 in the guest can hold. CPU and
// memory node sets name the host's CPUs; device rules start empty, and
// crun adds the standard devices.
func resources(given *specs.LinuxResources) *specs.LinuxResources {
	kept := &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
		// As the kubelet does with cgroup v2: a container that lacks one of its
		// processes is worse than one that is restarted.
		Unified: map[string]string{"memory.oom.group": "1"},
	}
	if given == nil {
		return kept
	}
	if m := given.Memory; m != nil {
		kept.Memory = &specs.LinuxMemory{Limit: m.Limit, Reservation: m.Reservation}
	}
	if c := given.CPU; c != nil {
		kept.CPU = &specs.LinuxCPU{Shares: c.Shares, Quota: c.Quota, Period: c.Period}
	}
	kept.Pids = given.Pids
	return kept
}

// execProcess checks the OCI process of an exec.
func execProcess(raw []byte, terminal bool) (*specs.Process, error) {
	var process specs.Process
	if err := json.Unmarshal(raw, &process); err != nil {
		return nil, fmt.Errorf("%w OCI process: %w", ErrInvalid, err)
	}
	if len(process.Args) == 0 {
		return nil, fmt.Errorf("%w OCI process: no arguments", ErrInvalid)
	}
	cleanProcess(&process)
	process.Terminal = terminal
	return &process, nil
}
