// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"os"
	"regexp"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// overwrite tries to write to every disk of the machine that is read-only, and says of which
// it could.
const overwrite = `tried=0; for d in /sys/block/sd*; do [ $(cat $d/ro) = 1 ] || continue; name=/dev/$(basename $d)
tried=$((tried + 1)); blockdev --setrw $name; dd if=/dev/urandom of=$name bs=4096 count=1 conv=fsync 2>/dev/null && echo wrote $name
done; echo tried $tried`

// TestAPrivilegedContainerIsRootOfItsMachineOnly: it does what root of a node does, to nothing
// but the pod's own machine.
func TestAPrivilegedContainerIsRootOfItsMachineOnly(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, func(config *cri.PodSandboxConfig) { config.Linux.SecurityContext.Privileged = true })
	root := p.run("root", "sleep 1000", func(config *cri.ContainerConfig) { config.Linux.SecurityContext.Privileged = true })
	plain := p.run("plain", "sleep 1000", nil)
	other := n.newPod(t, nil)
	beside := other.run("beside", "sleep 1000", nil)
	hosts, err := os.ReadFile("/proc/sys/vm/swappiness")
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct{ name, script, want string }{
		{"it mounts", "mkdir /mnt && mount -t tmpfs tmpfs /mnt && grep -c ' /mnt tmpfs' /proc/mounts", "1\n"},
		{"it sets the kernel's parameters", "echo 11 > /proc/sys/vm/swappiness && cat /proc/sys/vm/swappiness", "11\n"},
		{"it makes control groups", "mkdir /sys/fs/cgroup/own && rmdir /sys/fs/cgroup/own && echo made", "made\n"},
		{"it reads the machine's disks", "head -c 4096 /dev/sda | wc -c", "4096\n"},
		{"it makes namespaces", "unshare -m -u sh -c 'hostname inner && hostname'", "inner\n"},
		{"it finds no channel", "ls /dev | grep -c vport", "0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if stdout, stderr, _ := p.in(t).exec(root, "sh", "-c", c.script); stdout != c.want {
				t.Errorf("%q, %s", stdout, stderr)
			}
		})
	}
	t.Run("it writes no disk that is read-only", func(t *testing.T) {
		if stdout, stderr, _ := p.in(t).exec(root, "sh", "-c", overwrite); !regexp.MustCompile(`^tried [2-9]\n$`).MatchString(stdout) { // the guest's root, the image's layers
			t.Errorf("%q, %s", stdout, stderr)
		}
	})
	t.Run("another container of the pod is as before", func(t *testing.T) {
		if stdout, _, _ := p.in(t).exec(plain, "sh", "-c", "mkdir /mnt; mount -t tmpfs tmpfs /mnt && echo mounted; ls /dev | grep -c sd"); stdout != "0\n" {
			t.Errorf("%q", stdout)
		}
	})
	if now, err := os.ReadFile("/proc/sys/vm/swappiness"); err != nil || string(now) != string(hosts) {
		t.Errorf("the host's parameter is %q, %v", now, err)
	}
	t.Run("its kernel's end is the pod's", func(t *testing.T) {
		p := p.in(t)
		p.exec(root, "sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; (sleep 1; echo c > /proc/sysrq-trigger) &")
		eventually(t, "the sandbox is not ready", time.Minute, func() bool { return !p.ready() })
		if stdout, _, _ := other.in(t).exec(beside, "echo", "here"); stdout != "here\n" {
			t.Errorf("the other pod says %q", stdout)
		}
	})
	p.remove()
	other.remove()
	nothingLeft(t)
}
