// SPDX-License-Identifier: Apache-2.0

package container

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestLimitsAreWrittenInTheFormOfCgroupV2(t *testing.T) {
	for _, test := range []struct {
		name, resources string
		want            []setting
	}{
		{"nothing", `{}`, nil},
		{"memory", `{"memory": {"limit": 1048576}}`, []setting{{"memory.max", "1048576"}}},
		{"no memory limit", `{"memory": {"limit": -1}}`, []setting{{"memory.max", "max"}}},
		{"absent memory limit", `{"memory": {"limit": 0}}`, nil},
		{"CPU", `{"cpu": {"shares": 1024, "quota": 50000, "period": 100000}}`,
			[]setting{{"cpu.weight", "39"}, {"cpu.max", "50000 100000"}}},
		{"no CPU limit", `{"cpu": {"quota": -1}}`, []setting{{"cpu.max", "max 100000"}}},
		{"processes", `{"pids": {"limit": 7}}`, []setting{{"pids.max", "7"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var wanted specs.LinuxResources
			if err := json.Unmarshal([]byte(test.resources), &wanted); err != nil {
				t.Fatal(err)
			}
			if got := settings(&wanted); !slices.Equal(got, test.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSharesBecomeWeights(t *testing.T) {
	for shares, want := range map[uint64]uint64{0: 1, 2: 1, 1024: 39, 262144: 10000, 1 << 40: 10000} {
		if got := cpuWeight(shares); got != want {
			t.Errorf("%d shares weigh %d, want %d", shares, got, want)
		}
	}
}

func TestCountersThatAreNotThereAreZero(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyed := readKeyed(write("stat", "usage_usec 12\nbroken\nword x\n"))
	if keyed["usage_usec"] != 12 || keyed["user_usec"] != 0 || keyed["word"] != 0 {
		t.Errorf("got %v", keyed)
	}
	if got := readNumber(write("max", "max\n")); got != 0 {
		t.Errorf("max is %d", got)
	}
	if got := readNumber(write("number", "42\n")); got != 42 {
		t.Errorf("42 is %d", got)
	}
	if len(readKeyed(filepath.Join(dir, "missing"))) != 0 || readNumber(filepath.Join(dir, "missing")) != 0 {
		t.Error("a missing file has values")
	}
}

func TestProcessesInGroupsBelowAreSignalledToo(t *testing.T) {
	s := &Set{dirs: Dirs{Cgroup: t.TempDir()}}
	for dir, pids := range map[string]string{"": "10\n11\n", "init.scope": "12\n", "system.slice/a.service": "13\n", "empty": ""} {
		dir = filepath.Join(s.cgroup("c"), dir)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pids), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	pids, err := s.pids(&container{id: "c"})
	if slices.Sort(pids); err != nil || !slices.Equal(pids, []uint32{10, 11, 12, 13}) {
		t.Errorf("got %v, %v", pids, err)
	}
	if _, err := s.pids(&container{id: "none"}); err == nil {
		t.Error("a container without a group has processes")
	}
}
