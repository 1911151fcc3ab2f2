// SPDX-License-Identifier: Apache-2.0

package container

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// HoldPidNamespaceArgument makes hyper-guest the first process of a shared pid
// namespace instead of the guest's init.
const HoldPidNamespaceArgument = "hold-pid-namespace"

// neverKilled is the oom_score_adj of a process that the OOM killer skips.
const neverKilled = -1000

// HoldPidNamespace keeps the namespace and reaps its orphans, forever.
func HoldPidNamespace() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for range children {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if err != nil || pid <= 0 {
				break
			}
		}
	}
}

func (s *Set) pidNamespaceOf(id string) (string, error) {
	target, err := s.find(id)
	if err != nil {
		return "", err
	}
	state, pid, _ := target.init.now()
	if state != running {
		return "", errState("the target container is not running")
	}
	return fmt.Sprintf("/proc/%d/ns/pid", pid), nil
}

// podPidNamespace starts the process that holds the shared namespace. It is this
// program again, which only reaps there (see HoldPidNamespace).
func (s *Set) podPidNamespace() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pidHolder == 0 {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return "", err
		}
		defer null.Close()
		pid, _, err := s.reaper.Start([]string{"/proc/self/exe", HoldPidNamespaceArgument}, &syscall.ProcAttr{
			Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
			Sys:   &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID},
		}, neverKilled)
		if err != nil {
			return "", fmt.Errorf("create the pod's process namespace: %w", err)
		}
		s.pidHolder = pid
	}
	return fmt.Sprintf("/proc/%d/ns/pid", s.pidHolder), nil
}
