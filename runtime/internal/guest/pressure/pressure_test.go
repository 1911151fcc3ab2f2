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

func TestALimitThatOnlyAnEndKeeps(t *testing.T) {
	if least := (state{limit: 100 * mebi, current: 99 * mebi, file: 3 * mebi}).least(); least != 95*mebi {
		t.Error(least)
	}
	if least := (state{limit: mebi, current: mebi, file: mebi}).least(); least != 0 {
		t.Error(least)
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

func TestAfterwardsTheGroupRunsWithItsLimit(t *testing.T) {
	dir := cgroup(t, map[string]string{
		"memory.max": "104857600\n", "memory.current": "104800000\n", "cgroup.freeze": "0", "cgroup.events": "populated 1\nfrozen 1\n",
		"memory.stat": "anon 100000000\nfile 1003520\nactive_file 4096\ninactive_file 8192\n",
	})
	if err := relieve(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"memory.max": "104857600", "cgroup.freeze": "0"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestWithoutALimitNothingIsDone(t *testing.T) {
	dir := cgroup(t, map[string]string{"memory.max": "max\n", "memory.current": "5\n", "memory.stat": "active_file 0\n"})
	if err := relieve(dir); err != nil {
		t.Fatal(err)
	}
}
