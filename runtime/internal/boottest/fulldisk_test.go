// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/vmm"
)

// smallDir is a directory with so many bytes.
func smallDir(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// events are what a machine's monitor has reported.
type events struct {
	mu  sync.Mutex
	all []vmm.Event
}

func (e *events) add(event vmm.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) count(kind vmm.EventKind, disk string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	number := 0
	for _, event := range e.all {
		if event.Kind == kind && event.Disk == disk {
			number++
		}
	}
	return number
}

// One pod fills the host's file system; another one that shares it has written
// nothing yet. Both machines go on, and who writes gets an error.
func TestAFullHostDiskIsAnErrorOfTheWriter(t *testing.T) {
	dir := smallDir(t, "size=48m")
	var seen [2]events
	var pods [2]*pod
	for number := range pods {
		pods[number] = newPodOf(t, func(s *vmm.Spec) { s.Notify = seen[number].add })
		pods[number].disks = filepath.Join(dir, string(rune('a'+number)))
		pods[number].create(&guestv1.CreateContainerRequest{Id: "c"}, "/payload", "hold")
		pods[number].start("c", "")
	}
	for number, p := range pods {
		said, end := p.exec("c", "fill", "/payload", "fill", "/big")
		t.Logf("machine %d: %q", number, said)
		if end.ExitCode != 0 || !(strings.Contains(said, "no space left") || strings.Contains(said, "input/output error")) {
			t.Errorf("machine %d wrote: %q, exit code %d", number, said, end.ExitCode)
		}
		if seen[number].count(vmm.EventDiskError, "scratch-c") == 0 {
			t.Errorf("machine %d: no disk error was reported", number)
		}
	}
	for number, p := range pods {
		if seen[number].count(vmm.EventStopped, "") != 0 {
			t.Errorf("machine %d was stopped", number)
		}
		if said, end := p.exec("c", "read", "/payload", "who"); end.ExitCode != 0 || !strings.HasPrefix(said, "pod-1 ") {
			t.Errorf("machine %d does nothing any more: %q", number, said)
		}
	}
}
