// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/record"
	"hypernetes.org/runtime/internal/vmstate"
)

const gib = 1 << 30

func TestTheScratchDiskHasTheSizeOfTheLimits(t *testing.T) {
	s := &Sandbox{host: Host{Config: config.Config{ScratchSize: 10 * gib}}, record: record.Record{ScratchSize: gib}}
	if got := s.scratchSize(); got < gib || got > gib+gib/16 {
		t.Errorf("%d bytes for a limit of 1 GiB", got)
	}
	s.record.ScratchSize = 0 // from an agent that does not say it
	if got := s.scratchSize(); got != 10*gib {
		t.Errorf("%d bytes without a limit", got)
	}
}

// running is this process as a machine that has written some of its disk.
func running(t *testing.T, size, written int64) vmstate.State {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if _, err := file.Write(make([]byte, written)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	self, err := vmstate.Find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return vmstate.State{Shim: self, Monitor: self, Scratch: path, ScratchSize: size}
}

func TestSpaceIsPromisedOnce(t *testing.T) {
	const mib = 1 << 20
	self, err := vmstate.Find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	starting := vmstate.State{Shim: self, Scratch: "/none", ScratchSize: 100 * mib}
	half := running(t, 100*mib, 50*mib)
	gone := vmstate.State{Monitor: vmstate.Process{PID: 1 << 30}, Scratch: "/none", ScratchSize: gib}
	killed := vmstate.State{Shim: vmstate.Process{PID: 1 << 30}, Scratch: "/none", ScratchSize: gib}
	for _, test := range []struct {
		name    string
		free    int64
		ratio   float64
		states  []vmstate.State
		refused bool
	}{
		{"a first machine fits", 110 * mib, 1, []vmstate.State{starting}, false},
		{"the reserve is not promised", 109 * mib, 1, []vmstate.State{starting}, true},
		{"what another may write is not promised again", 200 * mib, 1, []vmstate.State{starting, running(t, 100*mib, 0)}, true},
		{"what another has written needs no space any more", 160 * mib, 1, []vmstate.State{starting, half}, false},
		{"and no more than that", 159 * mib, 1, []vmstate.State{starting, half}, true},
		{"machines that are gone need none", 110 * mib, 1, []vmstate.State{starting, gone, killed}, false},
		{"a ratio promises more", 60 * mib, 2, []vmstate.State{starting}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := checkSpace(config.Config{ScratchDir: "/scratch", ScratchReserve: 10 * mib, ScratchRatio: test.ratio}, test.states, test.free)
			if (err != nil) != test.refused {
				t.Errorf("got %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "/scratch") || !strings.Contains(err.Error(), "MiB")) {
				t.Errorf("%v does not say what is missing", err)
			}
		})
	}
}
