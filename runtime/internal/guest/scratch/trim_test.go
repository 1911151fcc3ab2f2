// SPDX-License-Identifier: Apache-2.0

package scratch

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheNumberOfWritesIsRead(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want uint64
		fine bool
	}{
		"of this kernel":  {"     186        0     9264       37       41       13      328       21        0       52       58        7        0   524288        3        0        0\n", 41, true},
		"without columns": {"186 0 9264 37\n", 0, false},
		"no number":       {"a b c d e f\n", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			sys := t.TempDir()
			dir := filepath.Join(sys, "class/block/sdb")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := writesOf(sys, "sdb")
			if got != test.want || (err == nil) != test.fine {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	if _, err := writesOf(t.TempDir(), "sdb"); err == nil {
		t.Error("a disk that is gone has statistics")
	}
}
