// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/thread"
	"hypernetes.org/runtime/internal/vmm"
)

// launched is a process whose parent thread waits for it.
type launched struct {
	process *os.Process
	ended   <-chan vmm.Exit
}

// launch executes QEMU without any privilege, in the pod's network namespace and
// cgroups, with a root file system and processes of its own.
//
// Cgroup, root, network namespace, bounding set and "no new privileges" are
// properties of a thread and are inherited by the child. Therefore a dedicated thread
// sets them, and no launcher program is needed. The thread then waits for QEMU and
// never runs anything else: as long as it lives the child does not get its
// parent-death signal, and when the shim dies, for any reason, QEMU dies with it.
func launch(spec vmm.Spec, argv []string, files []*os.File) (*launched, error) {
	type outcome struct {
		process *os.Process
		err     error
	}
	started := make(chan outcome, 1)
	ended := make(chan vmm.Exit, 1)
	thread.Own(func() {
		process, err := startConfined(spec, argv, files)
		started <- outcome{process, err}
		if err != nil {
			return
		}
		ended <- wait(process)
	})
	got := <-started
	if got.err != nil {
		return nil, got.err
	}
	return &launched{process: got.process, ended: ended}, nil
}

func startConfined(spec vmm.Spec, argv []string, files []*os.File) (*os.Process, error) {
	group, err := cgroup.EnterThread(spec.Cgroups)
	if err != nil {
		return nil, err
	}
	defer group.Close() // a nil file only returns an error
	if spec.NetnsPath != "" {
		if err := enterNetns(spec.NetnsPath); err != nil {
			return nil, err
		}
	}
	groups, err := deviceGroups(spec.Accelerator)
	if err != nil {
		return nil, err
	}
	program, err := enterJail(spec)
	if err != nil {
		return nil, err
	}
	if err := dropBoundingSet(); err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("forbid new privileges: %w", err)
	}
	if err := forbidCoreDumps(); err != nil {
		return nil, err
	}
	attributes := &syscall.SysProcAttr{
		// Setting the user ID clears the capabilities; the list of groups is
		// replaced by this one, which is empty except for KVM.
		Credential: &syscall.Credential{Uid: spec.UID, Gid: spec.GID, Groups: groups},
		Pdeathsig:  unix.SIGKILL,
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	if group != nil {
		attributes.UseCgroupFD, attributes.CgroupFD = true, int(group.Fd())
	}
	process, err := os.StartProcess(program, argv, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/bin:/bin"},
		Files: files,
		Sys:   attributes,
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return process, nil
}

// forbidCoreDumps keeps the memory of a crashed machine, and of this process, off the
// host's disk. 1 byte is less than any core file has, and unlike 0 it also holds for
// a core_pattern that is a program (core(5); fs/coredump.c, "RLIMIT_CORE set to 1").
func forbidCoreDumps() error {
	limit := unix.Rlimit{Cur: 1, Max: 1}
	var current unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &current); err == nil && current.Max == 0 {
		limit = unix.Rlimit{} // no unprivileged process could raise it
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}

// deviceGroups returns the group that may open /dev/kvm, if it is needed: the open
// device cannot be passed to QEMU before 9.0.
func deviceGroups(accelerator string) ([]uint32, error) {
	if accelerator != vmm.AcceleratorKVM {
		return nil, nil
	}
	info, err := os.Stat(kvmDevice)
	if err != nil {
		return nil, fmt.Errorf("stat %s: %w", kvmDevice, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Gid == 0 {
		return nil, nil // root's group would grant more than the device
	}
	return []uint32{stat.Gid}, nil
}

func enterNetns(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the pod's network namespace: %w", err)
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the pod's network namespace: %w", err)
	}
	return nil
}

// dropBoundingSet ensures that no program executed from here gains a capability,
// regardless of its file capabilities.
func dropBoundingSet() error {
	for capability := uintptr(0); capability < 64; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // beyond the last one this kernel has
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	return nil
}

func wait(process *os.Process) vmm.Exit {
	state, err := process.Wait()
	if err != nil {
		return vmm.Exit{Code: -1}
	}
	exit := vmm.Exit{Code: state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = int(status.Signal())
	}
	return exit
}
