// SPDX-License-Identifier: Apache-2.0

// Package oom decides which processes the kernel kills first when a node runs out of
// memory: a machine like its pod's containers, after the kubelet's rules.
package oom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The kubelet's values for the containers of a pod, by its quality of service
// (pkg/kubelet/qos/policy.go). A burstable one's depends on what it requests; the
// value here is the largest it may be.
const (
	guaranteed = -997
	burstable  = 999
	bestEffort = 1000
)

// ForPod returns the value for a pod of which no container is known yet. The kubelet
// says the quality of service in the path of the pod's cgroup.
func ForPod(cgroupParent string) int {
	switch {
	case strings.Contains(cgroupParent, "besteffort"):
		return bestEffort
	case strings.Contains(cgroupParent, "burstable"):
		return burstable
	default:
		return guaranteed
	}
}

// Adjust sets a process's oom_score_adj. Without CAP_SYS_RESOURCE it sets the least that
// is allowed, as containerd does (restrict_oom_score_adj): this process's own.
func Adjust(pid, score int) error { return adjust("/proc", pid, score) }

func adjust(proc string, pid, score int) error {
	path := filepath.Join(proc, strconv.Itoa(pid), "oom_score_adj")
	err := write(path, score)
	if errors.Is(err, fs.ErrPermission) {
		text, fault := os.ReadFile(filepath.Join(proc, "self/oom_score_adj"))
		if fault != nil {
			return fmt.Errorf("set the OOM score of process %d: %w", pid, fault)
		}
		own, fault := strconv.Atoi(strings.TrimSpace(string(text)))
		if fault != nil {
			return fmt.Errorf("set the OOM score of process %d: %w", pid, fault)
		}
		err = write(path, max(own, score))
	}
	if err != nil {
		return fmt.Errorf("set the OOM score of process %d: %w", pid, err)
	}
	return nil
}

func write(path string, score int) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strconv.Itoa(score))
	return errors.Join(err, file.Close())
}
