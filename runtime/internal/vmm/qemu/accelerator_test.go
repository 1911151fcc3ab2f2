// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"os"
	"path/filepath"
	"testing"

	"hypernetes.org/runtime/internal/vmm"
)

func probe(t *testing.T) Probe {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"manifest.json", "qemu"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Probe{
		Requested: vmm.AcceleratorTCG, GuestDir: dir, Executable: filepath.Join(dir, "qemu"), UID: 1, GID: 1,
		CacheFile: filepath.Join(dir, "accelerator"),
	}
}

func TestWhatIsAskedForIsChosenAndTheCounterMeasured(t *testing.T) {
	choice, err := ChooseAccelerator(t.Context(), probe(t))
	if err != nil || choice.Accelerator != vmm.AcceleratorTCG || choice.TSCkHz < 100000 {
		t.Errorf("got %+v, %v", choice, err)
	}
}

func TestAKeptAnswerIsUsed(t *testing.T) {
	p := probe(t)
	key, err := p.key()
	if err != nil {
		t.Fatal(err)
	}
	kept := Choice{Accelerator: vmm.AcceleratorKVM, TSCkHz: 42}
	if err := writeChoice(p.CacheFile, cachedChoice{key, kept}); err != nil {
		t.Fatal(err)
	}
	if choice, err := ChooseAccelerator(t.Context(), p); err != nil || choice != kept {
		t.Errorf("got %+v, %v", choice, err)
	}
}

func TestAnotherGuestMakesAKeptAnswerStale(t *testing.T) {
	p := probe(t)
	before, err := p.key()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.GuestDir, "manifest.json"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, err := p.key(); err != nil || after == before {
		t.Errorf("the key stays %q (%v)", after, err)
	}
}

func TestABrokenCacheIsNoAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accelerator")
	if err := os.WriteFile(path, []byte(`{"key": `), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := readChoice(path, ""); ok {
		t.Error("it was taken")
	}
}
