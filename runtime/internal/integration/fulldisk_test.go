// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/config"
)

const kubeletDir = "/var/lib/kubelet"

// smallKubelet gives emptyDirs' disks a file system of this size, for this test.
func smallKubelet(t *testing.T, options string) {
	t.Helper()
	must(t, unix.Mount("tmpfs", kubeletDir, "tmpfs", 0, options))
	t.Cleanup(func() { _ = unix.Unmount(kubeletDir, unix.MNT_DETACH) })
}

// set changes settings of the runtime for this test.
func set(t *testing.T, changes map[string]any) {
	t.Helper()
	before, err := os.ReadFile(config.Path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{}
	if err := json.Unmarshal(before, &settings); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		settings[key] = value
	}
	after, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config.Path, after, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(config.Path, before, 0o644); err != nil {
			t.Error(err)
		}
	})
}

func TestAPodIsRefusedWhereItsDiskCannotBePromised(t *testing.T) {
	smallKubelet(t, "size=800m")
	set(t, map[string]any{"scratch_reserve": 1 << 20})
	n := newNode(t)
	first := n.newPod(t, nil) // its record says 512 MiB
	if _, err := n.tryPod(t, nil); err == nil || !strings.Contains(err.Error(), "file system for scratch disks ("+kubeletDir) {
		t.Fatalf("a second one: %v", err)
	}
	first.remove()
	n.newPod(t, nil).remove()
	nothingLeft(t)
}

func TestPodsLiveOnWhereTheHostsDiskIsFull(t *testing.T) {
	smallKubelet(t, "size=64m")
	set(t, map[string]any{"scratch_reserve": 0, "scratch_allocation_ratio": 1000})
	n := newNode(t)
	writer, other := n.newPod(t, nil), n.newPod(t, nil)
	cache := func(p *pod) func(*cri.ContainerConfig) {
		return func(c *cri.ContainerConfig) { c.Mounts = []*cri.Mount{p.emptyDir("cache")} }
	}
	working := other.run("other", "sleep 1000", cache(other))
	id := writer.run("writer", "sleep 1000", cache(writer))
	// fsync(2) reports what happened to the data; dd's own exit status does not matter.
	script := "for n in 1 2 3 4 5 6; do dd if=/dev/zero of=/cache/big-$n bs=1M count=32 conv=fsync 2>&1 || exit 0; done; exit 1"
	out, _, code := writer.exec(id, "sh", "-c", script)
	t.Logf("the writer sees: %s", out)
	if code != 0 || !(strings.Contains(out, "No space left") || strings.Contains(out, "nput/output error")) {
		t.Errorf("the writer got no error: %q", out)
	}
	out, _, code = other.exec(working, "sh", "-c", "dd if=/dev/zero of=/cache/big bs=1M count=32 conv=fsync; dd if=/dev/zero of=/cache/big bs=1M count=32 conv=fsync; echo alive")
	if code != 0 || out != "alive\n" {
		t.Errorf("the other pod says %q, %d", out, code)
	}
	for name, p := range map[string]*pod{"writer": writer, "other": other} {
		if !p.ready() {
			t.Errorf("the pod of %s is not ready", name)
		}
	}
	if out, _, code := writer.exec(id, "echo", "alive"); code != 0 || out != "alive\n" {
		t.Errorf("the writer's pod says %q, %d", out, code)
	}
	if !strings.Contains(n.log.String(), "failed a disk request") {
		t.Error("nothing was logged")
	}
	// With space again, a program's fsync does not fail forever for what failed once.
	// The first one may still report it.
	writer.remove()
	writer.forget()
	out, _, code = other.exec(working, "sh", "-c", "dd if=/dev/zero of=/cache/a bs=1M count=4 conv=fsync; dd if=/dev/zero of=/cache/b bs=1M count=4 conv=fsync && echo written")
	if code != 0 || out != "written\n" {
		t.Errorf("after the disk was full, the other pod says %q, %d", out, code)
	}
	other.remove()
	nothingLeft(t)
}
