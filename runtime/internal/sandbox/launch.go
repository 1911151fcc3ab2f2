// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/mirror"
	"hypernetes.org/runtime/internal/oom"
	"hypernetes.org/runtime/internal/size"
	"hypernetes.org/runtime/internal/vmm"
	"hypernetes.org/runtime/internal/vmstate"
)

// launch starts the monitor. What it creates on the host is recorded before it is
// created; on an error the caller releases it.
func (s *Sandbox) launch(ctx context.Context, netns string) error {
	cfg := s.host.Config
	state, err := s.plan()
	if err != nil {
		return err
	}
	state.ScratchSize = s.scratchSize()
	if err := vmstate.Save(cfg.VMDir, state); err != nil {
		return err
	}
	if err := s.groups.enter(); err != nil {
		return err
	}
	s.size = size.ForPod(s.pod.GetLinux(), size.Machine{CPUs: s.record.CPUs, Containers: s.record.MemoryBytes}, cfg, node())
	if limit := size.HostMemory(s.pod.GetLinux(), s.size); limit > 0 {
		if err := cgroup.LimitMemory(s.groups.machine, limit); err != nil {
			return err
		}
	}
	if s.uid, err = vmstate.LeaseUID(cfg.VMDir, s.id, cfg.UIDBase, cfg.UIDCount); err != nil {
		return err
	}
	if err := checkScratch(cfg); err != nil {
		return err
	}
	spec, err := s.spec(ctx, netns)
	if err != nil {
		return err
	}
	tap, err := s.host.OpenTAP(s.record.TAP)
	if err != nil {
		return err
	}
	defer tap.Close() // the monitor has its own copy by then
	messages, err := newMessages()
	if err != nil {
		return err
	}
	defer messages.Close()
	s.listen(netns)
	spec.NIC = &vmm.NIC{Tap: tap, MAC: s.record.MAC, MTU: s.record.MTU, Offload: s.record.Offload}
	spec.Stderr = messages
	// The monitor outlives this request, which bounds its start only. The wait for a
	// silent monitor is longer than a working one needs, but bounded.
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.start(ctx, spec); err != nil {
		return fmt.Errorf("start the pod's machine: %w", err)
	}
	if state.Monitor, err = vmstate.Find(s.machine.PID()); err == nil {
		err = vmstate.Save(cfg.VMDir, state)
	}
	if err == nil {
		err = s.protect(oom.ForPod(s.pod.GetLinux().GetCgroupParent()))
	}
	if err != nil {
		// Without a record of it, nothing could kill it after this process has died.
		return errors.Join(err, s.machine.Kill())
	}
	return nil
}

func (s *Sandbox) plan() (vmstate.State, error) {
	hierarchies, err := s.host.Hierarchies()
	if err != nil {
		return vmstate.State{}, err
	}
	if s.groups, err = planGroups(hierarchies, s.pod.GetLinux().GetCgroupParent(), s.id); err != nil {
		return vmstate.State{}, err
	}
	shim, err := vmstate.Find(os.Getpid())
	if err != nil {
		return vmstate.State{}, err
	}
	return vmstate.State{SandboxID: s.id, Shim: shim, Cgroups: s.groups.all(), Socket: s.host.Socket}, nil
}

func (s *Sandbox) spec(ctx context.Context, netns string) (vmm.Spec, error) {
	cfg := s.host.Config
	accelerator, tsc, err := s.host.Accelerator(ctx, cfg, s.uid.Value)
	if err != nil {
		return vmm.Spec{}, fmt.Errorf("choose the accelerator: %w", err)
	}
	return vmm.Spec{
		ID: s.id, GuestDir: cfg.GuestDir, Executable: cfg.QEMU,
		Accelerator: accelerator, TSCkHz: tsc, TranslationBuffer: cfg.TranslationBuffer,
		Memory: s.size.Memory, CPUs: s.size.CPUs,
		UID: s.uid.Value, GID: s.uid.Value,
		NetnsPath: netns, Cgroups: s.groups.machine, Notify: s.notify,
	}, nil
}

func podMounts(cfg config.Config, id, uid string) (mirror.Pod, error) {
	// containerd resolves links in the sources of bind mounts.
	kubelet, err := filepath.EvalSymlinks(cfg.KubeletDir)
	if errors.Is(err, os.ErrNotExist) {
		kubelet, err = cfg.KubeletDir, nil
	}
	if err != nil {
		return mirror.Pod{}, fmt.Errorf("find the kubelet's directory: %w", err)
	}
	root, err := filepath.EvalSymlinks(cfg.ContainerdRoot)
	if err != nil {
		return mirror.Pod{}, fmt.Errorf("find containerd's directory: %w", err)
	}
	return mirror.Pod{
		KubeletDir: kubelet, UID: uid, Mountinfo: mirror.Mountinfo,
		SandboxDir: filepath.Join(root, "io.containerd.grpc.v1.cri", "sandboxes", id),
	}, nil
}
