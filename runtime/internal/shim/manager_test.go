// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"os"
	"path/filepath"
	"testing"

	"hypernetes.org/runtime/internal/config"
)

func TestTheBundleSaysWhereTheShimKeepsItsState(t *testing.T) {
	cfg, err := config.Load(config.Path)
	must(t, err)
	standard := cfg.VMDir
	for text, want := range map[string]string{"/run/before": "/run/before", "": standard, "relative": standard} {
		bundle := t.TempDir()
		must(t, os.WriteFile(filepath.Join(bundle, vmDirFile), []byte(text), 0o600))
		if got, err := usedVMDir(bundle); err != nil || got != want {
			t.Errorf("%q leads to %q, %v", text, got, err)
		}
	}
	if got, err := usedVMDir(t.TempDir()); err != nil || got != standard {
		t.Errorf("a bundle without the file leads to %q, %v", got, err)
	}
}

func TestAShimKeepsTheDirectoryItWasStartedWith(t *testing.T) {
	t.Setenv(vmDirEnv, "/run/before")
	host, err := Node()
	if err != nil || host.Config.VMDir != "/run/before" {
		t.Errorf("got %q, %v", host.Config.VMDir, err)
	}
}
