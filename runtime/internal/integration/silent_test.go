// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// silence is a monitor that starts and says nothing: this program. A script would find
// no shell in the monitor's root.
const silence = "/run/test/silent-monitor"

func init() {
	if os.Args[0] == silence {
		time.Sleep(24 * time.Hour)
	}
}

// silentMonitor takes QEMU's place for this test.
func silentMonitor(t *testing.T) {
	t.Helper()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(silence, program, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(silence) })
	set(t, map[string]any{"qemu": silence})
}

func monitors(t *testing.T) int {
	t.Helper()
	return len(processes(t, silence+"\x00"))
}

func TestAMonitorThatSaysNothingIsGivenUpAndLeavesNothing(t *testing.T) {
	silentMonitor(t)
	n := newNode(t)
	if _, err := n.tryPod(t, nil); err == nil || !strings.Contains(err.Error(), "did not come up") {
		t.Fatalf("got %v", err)
	}
	eventually(t, "the monitor is gone", 10*time.Second, func() bool { return monitors(t) == 0 })
	nothingLeft(t)
}

// Where the request is canceled, containerd's clean-up is canceled with it.
func TestACancelledStartLeavesNothing(t *testing.T) {
	silentMonitor(t)
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		config := &cri.PodSandboxConfig{
			Metadata: &cri.PodSandboxMetadata{Name: "canceled", Uid: "uid-canceled", Namespace: "test"}, Hostname: "canceled",
			Linux: &cri.LinuxPodSandboxConfig{CgroupParent: "/" + cgroupParent, Resources: &cri.LinuxContainerResources{}},
		}
		_, err := n.runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: "hyper"})
		ended <- err
	}()
	makeCgroup(t)
	eventually(t, "the monitor runs", time.Minute, func() bool { return monitors(t) > 0 })
	cancel()
	if err := <-ended; err == nil {
		t.Fatal("the pod started")
	}
	eventually(t, "monitor and shim are gone", 90*time.Second, func() bool {
		return monitors(t) == 0 && len(processes(t, "containerd-shim-hyper")) == 0
	})
	nothingLeft(t)
}
