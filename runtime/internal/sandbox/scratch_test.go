// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/record"
	"hypernetes.org/runtime/internal/vmstate"
)

const gib = 1 << 30

func TestScratchDisksHaveTheSizeOfTheLimits(t *testing.T) {
	s := &Sandbox{host: Host{Config: config.Config{ScratchSize: 10 * gib}}, record: record.Record{ScratchSize: gib}}
	if got := s.scratchSize(); got < gib || got > gib+gib/16 {
		t.Errorf("%d bytes for a limit of 1 GiB", got)
	}
	s.record.ScratchSize = 0 // from an agent that does not say it
	if got := s.scratchSize(); got != 10*gib {
		t.Errorf("%d bytes without a limit", got)
	}
}

// running is a process as a machine that has written some of its disk, whose directory
// may be gone.
func running(t *testing.T, size, written int64, deleted bool) vmstate.State {
	t.Helper()
	path := filepath.Join(t.TempDir(), disk.ScratchName)
	if err := os.WriteFile(path, make([]byte, written), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if deleted {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	// QEMU has it open twice, and is another process.
	monitor := exec.Command("sleep", "1000")
	monitor.ExtraFiles = []*os.File{file, file}
	if err := errors.Join(monitor.Start(), file.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = monitor.Process.Kill(), monitor.Wait() })
	found, err := vmstate.Find(monitor.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return vmstate.State{Shim: found, Monitor: found, ScratchSize: size}
}

func TestSpaceIsPromisedOnce(t *testing.T) {
	const mib = 1 << 20
	self, err := vmstate.Find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	here, err := fileSystemOf(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	starting := vmstate.State{Shim: self, ScratchSize: 100 * mib}
	half, deleted := running(t, 100*mib, 50*mib, false), running(t, 100*mib, 50*mib, true)
	gone := vmstate.State{Monitor: vmstate.Process{PID: 1 << 30}, ScratchSize: gib}
	killed := vmstate.State{Shim: vmstate.Process{PID: 1 << 30}, ScratchSize: gib}
	for _, test := range []struct {
		name    string
		free    int64
		ratio   float64
		states  []vmstate.State
		refused bool
	}{
		{"a first machine fits", 110 * mib, 1, []vmstate.State{starting}, false},
		{"the reserve is not promised", 109 * mib, 1, []vmstate.State{starting}, true},
		{"what another may write is not promised again", 200 * mib, 1, []vmstate.State{starting, running(t, 100*mib, 0, false)}, true},
		{"what another has written needs no space any more", 160 * mib, 1, []vmstate.State{starting, half}, false},
		{"nor what is deleted and still open", 160 * mib, 1, []vmstate.State{starting, deleted}, false},
		{"and no more than that", 159 * mib, 1, []vmstate.State{starting, half}, true},
		{"machines that are gone need none", 110 * mib, 1, []vmstate.State{starting, gone, killed}, false},
		{"a ratio promises more", 60 * mib, 2, []vmstate.State{starting}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := checkSpace(config.Config{ScratchReserve: 10 * mib, ScratchRatio: test.ratio}, fileSystem{"/scratch", here.device, test.free}, test.states)
			if (err != nil) != test.refused {
				t.Errorf("got %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "/scratch") || !strings.Contains(err.Error(), "MiB")) {
				t.Errorf("%v does not say what is missing", err)
			}
		})
	}
	t.Run("what is on another file system is not on this one", func(t *testing.T) {
		elsewhere := fileSystem{"/scratch", here.device + 1, 160 * mib}
		if checkSpace(config.Config{ScratchReserve: 10 * mib, ScratchRatio: 1}, elsewhere, []vmstate.State{starting, half}) == nil {
			t.Error("it was counted")
		}
	})
}
