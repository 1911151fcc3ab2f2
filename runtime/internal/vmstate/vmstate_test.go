// SPDX-License-Identifier: Apache-2.0

package vmstate

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// sleeper starts a process that ends with the test.
func sleeper(t *testing.T) (*exec.Cmd, Process, <-chan struct{}) {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	process, err := Find(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
	return cmd, process, gone
}

func TestCleaningEndsTheEmulatorAndRemovesAll(t *testing.T) {
	vmDir, pod := t.TempDir(), t.TempDir()
	_, process, gone := sleeper(t)
	group := filepath.Join(pod, "vm")
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(pod, "socket")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	state := State{SandboxID: "abc", Monitor: process, Cgroups: []string{group}, Socket: socket}
	if err := Save(vmDir, state); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := Clean(ctx, vmDir, "abc"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-ctx.Done():
		t.Fatal("the process still runs")
	}
	for _, path := range []string{group, socket, filepath.Join(vmDir, "abc")} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if err := Clean(ctx, vmDir, "abc"); err != nil {
		t.Fatal("again: ", err)
	}
}

func TestAProcessOfTheSameNumberIsSpared(t *testing.T) {
	_, process, gone := sleeper(t)
	process.StartTime++
	if err := process.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
		t.Fatal("a stranger was killed")
	case <-time.After(50 * time.Millisecond):
	}
}

func TestAProcessThatIsGoneIsFine(t *testing.T) {
	cmd, process, gone := sleeper(t)
	_ = cmd.Process.Kill()
	<-gone
	if err := process.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryWithoutStateIsRemoved(t *testing.T) {
	vmDir := t.TempDir()
	if err := os.Mkdir(filepath.Join(vmDir, "abc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Clean(t.Context(), vmDir, "abc"); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(vmDir); err != nil || len(entries) != 0 {
		t.Fatalf("%v, %v", entries, err)
	}
}

func TestAStateOfAnotherSandboxIsNotActedOn(t *testing.T) {
	vmDir := t.TempDir()
	if err := Save(vmDir, State{SandboxID: "abc"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(vmDir, "abc"), filepath.Join(vmDir, "abd")); err != nil {
		t.Fatal(err)
	}
	if err := Clean(t.Context(), vmDir, "abd"); err == nil {
		t.Fatal("it was")
	}
}

func TestAnIDIsNeverAPath(t *testing.T) {
	for _, id := range []string{"", "..", "../abc", "a/b", ".x"} {
		if err := Clean(t.Context(), t.TempDir(), id); err == nil {
			t.Errorf("%q was accepted", id)
		}
	}
}

func TestStartTimeOfANameWithParentheses(t *testing.T) {
	stat := []byte("12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21")
	if got, err := parseStartTime(stat); err != nil || got != 4711 {
		t.Fatalf("got %d, %v", got, err)
	}
	for _, bad := range []string{"", "12 (x) S 1", "no parentheses at all"} {
		if _, err := parseStartTime([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
