// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPodsQualityOfServiceDecides(t *testing.T) {
	for parent, want := range map[string]int{
		"/kubepods/podu1":            guaranteed,
		"/kubepods/burstable/podu1":  burstable,
		"/kubepods/besteffort/podu1": bestEffort,
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podu1.slice": bestEffort,
		"": guaranteed, // no kubelet
	} {
		if got := ForPod(parent); got != want {
			t.Errorf("%q: got %d, want %d", parent, got, want)
		}
	}
}

func TestAProcessGetsItsScore(t *testing.T) {
	proc := t.TempDir()
	path := filepath.Join(proc, "7/oom_score_adj")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := adjust(proc, 7, 500); err == nil {
		t.Error("a process that is gone was adjusted")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := adjust(proc, 7, 500); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "500" {
		t.Errorf("got %q, %v", text, err)
	}
}

// Where this process may not lower a score, the kernel's refusal is not a failure.
func TestAScoreThatIsNotAllowedIsNoFailure(t *testing.T) {
	before, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	if err := Adjust(os.Getpid(), guaranteed); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.TrimSpace(string(after))
	if got != "-997" && got != strings.TrimSpace(string(before)) {
		t.Errorf("it went from %s to %s", before, got)
	}
}
