// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	sandboxapi "github.com/containerd/containerd/api/runtime/sandbox/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/fakeguest"
)

func TestTheShimIsInThePodsCgroupWhileTheMachineLives(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.groups = []string{filepath.Join(t.TempDir(), "memory")}
	pod := filepath.Join(f.groups[0], "kubepods/pod1")
	must(t, os.MkdirAll(pod, 0o755))
	must(t, f.create(func(p *criruntime.PodSandboxConfig) { p.Linux.CgroupParent = "/kubepods/pod1" }))
	own := strconv.Itoa(os.Getpid())
	if text, err := os.ReadFile(filepath.Join(pod, "hyper-"+id+"-shim", "cgroup.procs")); err != nil || string(text) != own {
		t.Errorf("in the pod's cgroup is %q, %v", text, err)
	}
	back := filepath.Join(f.groups[0], "cgroup.procs")
	if _, err := os.Stat(back); err == nil {
		t.Error("it has left the pod's cgroup")
	}
	_, err := f.StopSandbox(t.Context(), &sandboxapi.StopSandboxRequest{SandboxID: id})
	must(t, err)
	// Else the kubelet would kill it there, and it could not remove the directory.
	if text, err := os.ReadFile(back); err != nil || string(text) != own {
		t.Errorf("back is %q, %v", text, err)
	}
	must(t, os.RemoveAll(f.groups[0])) // a real cgroup's files go with it
}

func TestTheMachineIsProtectedAsItsBestContainer(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	must(t, f.create(func(p *criruntime.PodSandboxConfig) { p.Linux.CgroupParent = "/kubepods/burstable/pod1" }))
	_, err := f.StartSandbox(t.Context(), &sandboxapi.StartSandboxRequest{SandboxID: id})
	must(t, err)
	for name, score := range map[string]int{"c1": 950, "c2": 990, "c3": 700} {
		must(t, f.container(name, func(s *specs.Spec) { s.Process.OOMScoreAdj = &score }))
	}
	must(t, f.container("c4", nil))
	if len(f.scores) < 2 || f.scores[0] != 999 || f.scores[len(f.scores)-1] != 700 || !slices.IsSortedFunc(f.scores, func(a, b int) int { return b - a }) {
		t.Errorf("the monitor's oom_score_adj was %v", f.scores)
	}
}
