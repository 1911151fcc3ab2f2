// SPDX-License-Identifier: Apache-2.0

// Package ocispec converts the specification that containerd wrote for a container on
// this host into one for a container in the pod's machine: what refers to the host
// is removed, what cannot be kept is refused, bind mounts become volumes.
package ocispec

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// PID selects whose processes a container sees.
type PID int

// Process namespaces a pod may ask for.
const (
	PIDOwn    PID = iota // the container's own
	PIDPod               // shareProcessNamespace: all of the pod
	PIDTarget            // an ephemeral container's target container
)

// Container is what Sanitize makes of a specification.
type Container struct {
	Spec  *specs.Spec   // for the guest: no host path, device or label in it
	Binds []specs.Mount // bind mounts, to be classified as volumes
	PID   PID
}

// Pids are the host process ids containerd knows this pod by; they appear in
// the namespace paths of a specification.
type Pids struct {
	Sandbox int // answered by StartSandbox
	Task    int // answered for every task
}

// Sanitize reads a specification and returns the guest's. It changes spec.
func Sanitize(spec *specs.Spec, pids Pids) (*Container, error) {
	if spec.Process == nil || len(spec.Process.Args) == 0 {
		return nil, errors.New("the container has no command")
	}
	if spec.Windows != nil || spec.VM != nil || spec.Solaris != nil || spec.ZOS != nil || spec.FreeBSD != nil {
		return nil, errors.New("only Linux containers are supported")
	}
	container := &Container{Spec: spec}
	if err := container.linux(spec, pids); err != nil {
		return nil, err
	}
	if err := container.mounts(spec); err != nil {
		return nil, err
	}
	readOnly := spec.Root != nil && spec.Root.Readonly
	spec.Root = &specs.Root{Path: "rootfs", Readonly: readOnly}
	spec.Hooks = nil // containerd writes none; a hook would run outside the container
	spec.Annotations = nil
	spec.Hostname, spec.Domainname = "", "" // the machine has the pod's
	Process(spec.Process)
	return container, nil
}

// Process removes from a process what refers to the host. Execs use it as well.
func Process(process *specs.Process) {
	// The guest's kernel has no such policy loaded.
	process.ApparmorProfile, process.SelinuxLabel = "", ""
	process.IOPriority, process.Scheduler, process.ExecCPUAffinity = nil, nil, nil
}

func (c *Container) linux(spec *specs.Spec, pids Pids) error {
	linux := spec.Linux
	if linux == nil {
		linux = &specs.Linux{}
		spec.Linux = linux
	}
	if len(linux.UIDMappings) > 0 || len(linux.GIDMappings) > 0 {
		return errors.New("user namespaces (hostUsers: false) are not supported: the pod has its own machine")
	}
	if len(linux.Devices) > 0 || len(linux.NetDevices) > 0 {
		return errors.New("host devices (device plug-ins, CDI) are not supported in a pod's machine")
	}
	if err := c.namespaces(linux.Namespaces, pids); err != nil {
		return err
	}
	if linux.Seccomp != nil {
		// The listener is a socket of the host.
		linux.Seccomp.ListenerPath, linux.Seccomp.ListenerMetadata = "", ""
	}
	spec.Linux = &specs.Linux{
		// The guest chooses namespaces and cgroup path; it has its own network,
		// IPC and UTS namespaces: the pod's.
		Namespaces:    []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.CgroupNamespace}},
		Resources:     Resources(linux.Resources),
		Seccomp:       linux.Seccomp,
		MaskedPaths:   linux.MaskedPaths,
		ReadonlyPaths: linux.ReadonlyPaths,
	}
	if c.PID == PIDOwn {
		spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
	}
	return nil
}

func (c *Container) namespaces(namespaces []specs.LinuxNamespace, pids Pids) error {
	has := false
	for _, namespace := range namespaces {
		switch namespace.Type {
		case specs.UserNamespace, specs.TimeNamespace:
			return fmt.Errorf("%s namespaces are not supported: the pod has its own machine", namespace.Type)
		case specs.PIDNamespace:
			has = true
			switch namespace.Path {
			case "":
			case fmt.Sprintf("/proc/%d/ns/pid", pids.Task):
				c.PID = PIDTarget
			case fmt.Sprintf("/proc/%d/ns/pid", pids.Sandbox):
				c.PID = PIDPod
			default:
				return fmt.Errorf("process namespace %q is not the pod's", namespace.Path)
			}
		default:
			// mount, network, ipc, uts, cgroup: paths of the host mean nothing
			// to the guest, which has one of each for the pod.
		}
	}
	if !has {
		return errors.New("the host's process namespace (hostPID) is refused")
	}
	return nil
}

// allDevices is the rule of a privileged container, which containerd writes for no other
// (privileged_without_host_devices_all_devices_allowed).
func allDevices(rule specs.LinuxDeviceCgroup) bool {
	return rule.Allow && (rule.Type == "" || rule.Type == "a") && rule.Major == nil && rule.Minor == nil && rule.Access == "rwm"
}

// Resources keeps the limits that hold inside the machine. Numbers of the
// host's processors, its devices and its cgroup files are dropped, except that a privileged
// container may use all devices: the machine's.
func Resources(host *specs.LinuxResources) *specs.LinuxResources {
	guest := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	if host == nil {
		return guest
	}
	if slices.ContainsFunc(host.Devices, allDevices) {
		guest.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	if cpu := host.CPU; cpu != nil {
		guest.CPU = &specs.LinuxCPU{Shares: cpu.Shares, Quota: cpu.Quota, Period: cpu.Period, Burst: cpu.Burst}
	}
	if memory := host.Memory; memory != nil {
		guest.Memory = &specs.LinuxMemory{Limit: memory.Limit, Reservation: memory.Reservation}
	}
	if pids := host.Pids; pids != nil {
		guest.Pids = pids
	}
	return guest
}

// Kernel file systems a container may have mounted by the guest's kernel.
var kernelTypes = []string{"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup"}

func (c *Container) mounts(spec *specs.Spec) error {
	kernel := make([]specs.Mount, 0, len(spec.Mounts))
	for _, mount := range spec.Mounts {
		if !filepath.IsAbs(mount.Destination) || slices.Contains(strings.Split(mount.Destination, "/"), "..") {
			return fmt.Errorf("mount destination %q is not a clean absolute path", mount.Destination)
		}
		if len(mount.UIDMappings) > 0 || len(mount.GIDMappings) > 0 {
			return fmt.Errorf("the mount at %s has id mappings, which are not supported", mount.Destination)
		}
		bind := slices.ContainsFunc(mount.Options, func(option string) bool { return option == "bind" || option == "rbind" })
		switch {
		case mount.Type == "bind" || bind:
			c.Binds = append(c.Binds, mount)
		case slices.Contains(kernelTypes, mount.Type):
			mount.Source = mount.Type // never a path of the host
			kernel = append(kernel, mount)
		default:
			return fmt.Errorf("mount type %q at %s is not supported", mount.Type, mount.Destination)
		}
	}
	spec.Mounts = kernel
	return nil
}
