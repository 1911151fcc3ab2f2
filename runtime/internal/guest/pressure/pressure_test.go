// SPDX-License-Identifier: Apache-2.0

package pressure

import (
	"os"
	"path/filepath"
	"testing"
)

const mebi = 1 << 20

func TestACgroupIsInWantWithoutPagesOfPrograms(t *testing.T) {
	for _, test := range []struct {
		name string
		state
		want bool
	}{
		{"nothing left but memory that is used", state{limit: 156 * mebi, current: 156*mebi - 4096, file: mebi / 2}, true},
		{"a large one with a few programs", state{limit: 4096 * mebi, current: 4090 * mebi, file: 100 * mebi}, true},
		{"a database that reads more than fits", state{limit: 400 * mebi, current: 399 * mebi, file: 150 * mebi}, false},
		{"a container that waits at its own limit", state{limit: 400 * mebi, current: 48 * mebi, file: mebi}, false},
		{"a small one with ordinary programs", state{limit: 40 * mebi, current: 40 * mebi, file: 9 * mebi}, false},
		{"no limit", state{current: 400 * mebi}, false},
	} {
		if test.state.want() != test.want {
			t.Errorf("%s: %t", test.name, !test.want)
		}
	}
}

func cgroup(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestItIsRelievedOnlyInWant(t *testing.T) {
	for name, test := range map[string]struct {
		limit, file string
		relieved    int
	}{
		"in want":           {"104857600\n", "8192", 1},
		"with other memory": {"1048576000\n", "8192", 0},
		"with pages":        {"104857600\n", "20000000", 0},
		"without a limit":   {"max\n", "0", 0},
	} {
		dir := cgroup(t, map[string]string{
			"memory.max": test.limit, "memory.current": "104800000\n",
			"memory.stat": "anon 80000000\nfile 1003520\nactive_file 4096\ninactive_file " + test.file + "\n",
		})
		count := 0
		if err := act(dir, func() error { count++; return nil }); err != nil {
			t.Fatal(err)
		}
		if count != test.relieved {
			t.Errorf("%s: relieved %d times", name, count)
		}
	}
}
