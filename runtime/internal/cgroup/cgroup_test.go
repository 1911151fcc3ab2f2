// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

func TestHierarchies(t *testing.T) {
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(strings.Join([]string{
		"30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw",
		"31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu",
		"32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
		"33 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
	}, "\n")), mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	got := points(mounts)
	if want := []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
}

// tree makes two hierarchies, of which only one has the pod.
func tree(t *testing.T) []string {
	t.Helper()
	root := t.TempDir()
	points := []string{filepath.Join(root, "cpuset"), filepath.Join(root, "blkio")}
	if err := os.MkdirAll(filepath.Join(points[0], "kubepods/pod1"), 0o755); err != nil {
		t.Fatal(err)
	}
	return points
}

func TestAMachineIsPlacedWhereItsPodIs(t *testing.T) {
	points := tree(t)
	dirs, err := Plan(points, "/kubepods/pod1", "vm")
	if want := []string{filepath.Join(points[0], "kubepods/pod1/vm")}; err != nil || !slices.Equal(dirs, want) {
		t.Fatalf("got %v, %v", dirs, err)
	}
	if err := Create(dirs); err != nil {
		t.Fatal(err)
	}
	if err := Create(dirs); err != nil {
		t.Fatal("again: ", err)
	}
	if err := Remove(t.Context(), dirs); err != nil {
		t.Fatal(err)
	}
	if err := Remove(t.Context(), dirs); err != nil {
		t.Fatal("again: ", err)
	}
}

func TestAnEmptyCpusetInheritsItsPods(t *testing.T) {
	points := tree(t)
	pod := filepath.Join(points[0], "kubepods/pod1")
	machine := filepath.Join(pod, "vm")
	if err := os.Mkdir(machine, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(pod, "cpuset.cpus"): "0-1\n", filepath.Join(machine, "cpuset.cpus"): "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Create([]string{machine}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(machine, "cpuset.cpus")); err != nil || string(got) != "0-1\n" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestNoParentMeansNoCgroup(t *testing.T) {
	if dirs, err := Plan(tree(t), "", "vm"); err != nil || dirs != nil {
		t.Fatalf("got %v, %v", dirs, err)
	}
}

func TestAPathThatClimbsIsRefused(t *testing.T) {
	for _, c := range [][2]string{{"/a/../../b", "vm"}, {"a", "vm"}, {"/a", "../vm"}, {"/a", ""}, {"/a", ".."}} {
		if _, err := Plan(tree(t), c[0], c[1]); err == nil {
			t.Errorf("%v was accepted", c)
		}
	}
}

func TestAProcessIsFoundInEveryHierarchy(t *testing.T) {
	root := t.TempDir()
	unified := filepath.Join(root, "unified")
	write(t, filepath.Join(unified, "cgroup.controllers"), "")
	tops := []string{filepath.Join(root, "cpu,cpuacct"), filepath.Join(root, "systemd"), unified, filepath.Join(root, "rdma")}
	got := own("4:cpu,cpuacct:/a\n3:name=systemd:/b\n2:pids:/c\n0::/d\n", tops)
	want := []Place{{tops[0], tops[0] + "/a"}, {tops[1], tops[1] + "/b"}, {tops[2], tops[2] + "/d"}, {tops[3], tops[3]}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAProcessReturnsToTheTopIfItsPlaceIsGone(t *testing.T) {
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"there": "there", "gone": "."} {
		if err := Return([]Place{{top, filepath.Join(top, dir)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(top, want, procs)); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := Return([]Place{{"/none", "/none/there"}}); err == nil {
		t.Error("a hierarchy that is not there took the process")
	}
}
