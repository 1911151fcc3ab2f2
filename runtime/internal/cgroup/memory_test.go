// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAKillForWantOfMemoryIsSeenInBothVersions(t *testing.T) {
	const none = "9223372036854771712\n"
	for name, test := range map[string]struct {
		files map[string]string // below the pod's directory
		want  Memory
	}{
		"version 1": {map[string]string{
			"vm/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "vm/memory.max_usage_in_bytes": "700\n",
			"vm/memory.limit_in_bytes": "800\n", "memory.limit_in_bytes": none,
		}, Memory{1, 700, 800}},
		"version 2": {map[string]string{
			"vm/memory.events": "low 0\noom 1\noom_kill 2\noom_group_kill 0\n", "vm/memory.peak": "700\n", "vm/memory.max": "max\n", "memory.max": "600\n",
		}, Memory{2, 700, 600}},
		"nothing killed": {map[string]string{"vm/memory.oom_control": "oom_kill 0\n", "vm/memory.limit_in_bytes": none}, Memory{}},
		"no files":       {nil, Memory{}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := t.TempDir()
			for path, text := range test.files {
				write(t, filepath.Join(pod, path), text)
			}
			if got := ReadMemory([]string{filepath.Join(pod, "none"), filepath.Join(pod, "vm")}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAMachinesMemoryIsLimitedInBothVersions(t *testing.T) {
	for _, file := range []string{"memory.limit_in_bytes", "memory.max"} {
		dir := t.TempDir()
		path := filepath.Join(dir, file)
		write(t, path, "")
		other := t.TempDir() // a hierarchy of another controller
		if err := LimitMemory([]string{other, dir}, 4096); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "4096" {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
}

func TestVersion2GetsItsControllersForTheMachine(t *testing.T) {
	pod := t.TempDir()
	write(t, filepath.Join(pod, "cgroup.controllers"), "cpuset cpu io memory hugetlb pids\n")
	control := filepath.Join(pod, "cgroup.subtree_control")
	write(t, control, "")
	if err := Create([]string{filepath.Join(pod, "vm")}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(control); err != nil || string(text) != "+cpu +io +memory +pids" {
		t.Errorf("got %q, %v", text, err)
	}
}
