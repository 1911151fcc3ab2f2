// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hypernetes.org/runtime/internal/disk"
)

func TestScratchDisksTogetherAreBounded(t *testing.T) {
	const limit = 16 << 20 // withGuest's
	for _, test := range []struct {
		name  string
		sizes [3]int // of three disks
		ended bool
	}{
		{"nothing is written", [3]int{}, false},
		{"two disks are full", [3]int{limit - 1<<20, limit - 1<<20, 0}, false},
		{"three disks are full", [3]int{limit - 1<<20, limit - 1<<20, 4 << 20}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := withGuest(t)
			for _, size := range test.sizes {
				dir := t.TempDir()
				if _, err := s.AttachScratch(t.Context(), dir); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, disk.ScratchName), make([]byte, size), 0o600); err != nil {
					t.Fatal(err)
				}
				// The guest keeps what it has open.
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			s.checkUsage()
			if ended := s.live.Err() != nil; ended != test.ended {
				t.Errorf("ended: %v", context.Cause(s.live))
			}
			if test.ended && !strings.Contains(context.Cause(s.live).Error(), "ephemeral storage") {
				t.Errorf("the reason is %v", context.Cause(s.live))
			}
		})
	}
}

func TestADiskThatIsReleasedDoesNotCount(t *testing.T) {
	s, _ := withGuest(t)
	dir := t.TempDir()
	serial, err := s.AttachScratch(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.occupied() == 0 {
		t.Fatal("a file system occupies nothing")
	}
	if err := s.ReleaseScratch(t.Context(), serial); err != nil {
		t.Fatal(err)
	}
	if got := s.occupied(); got != 0 {
		t.Errorf("%d bytes", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v are left", entries, err)
	}
}
