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

// prepare places a container in this guest. What may be in a specification is the
// host's decision (package ocispec), which the guest does not repeat: two lists of
// what is kept would differ sooner or later. The network, IPC and UTS namespaces of the
// pod are the guest's own, so the container gets none of these.
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
	completeProcess(spec.Process)
	spec.Mounts = mounts(spec.Mounts, place)
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	spec.Linux.CgroupsPath = place.cgroup
	spec.Linux.Namespaces = []specs.LinuxNamespace{
		{Type: specs.MountNamespace},
		{Type: specs.CgroupNamespace},
		{Type: specs.PIDNamespace, Path: place.pidPath},
	}
	spec.Linux.Resources = resources(spec.Linux.Resources)
	if allDevices(spec.Linux.Resources.Devices) {
		var err error
		if spec.Linux.Devices, err = devices(deviceDir); err != nil {
			return nil, err
		}
	}
	return &spec, nil
}

// changesNetwork says whether a process may change the pod's addresses and packet filters.
func changesNetwork(process *specs.Process) bool {
	return process.Capabilities != nil && slices.Contains(process.Capabilities.Bounding, "CAP_NET_ADMIN")
}

// completeProcess adds what a process must have in this guest.
func completeProcess(process *specs.Process) {
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
		if path.Clean(m.Destination) != sharedMemory {
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

// resources adds to a container's limits what holds for all containers of this guest.
func resources(given *specs.LinuxResources) *specs.LinuxResources {
	if given == nil {
		given = &specs.LinuxResources{}
	}
	// As the kubelet does with cgroup v2: a container that lacks one of its
	// processes is worse than one that is restarted.
	given.Unified = map[string]string{"memory.oom.group": "1"}
	return given
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
	completeProcess(&process)
	process.Terminal = terminal
	return &process, nil
}
