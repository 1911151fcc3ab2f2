// SPDX-License-Identifier: Apache-2.0

package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheContainerOfTheHighestScoreEnds(t *testing.T) {
	s := &Set{dirs: Dirs{Cgroup: t.TempDir()}, containers: map[string]*container{}}
	proc := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s.greediest(proc) != nil {
		t.Error("a container was chosen of none")
	}
	// A process of b is in a group of b's own, as systemd's are, and one has ended.
	for group, pids := range map[string]string{"a": "11 12", "b": "21", "b/unit": "22 23", "protected": "31"} {
		put(filepath.Join(s.cgroup(group), "cgroup.procs"), strings.ReplaceAll(pids, " ", "\n")+"\n")
	}
	for pid, score := range map[string]string{"11": "666", "12": "700", "21": "3", "22": "800", "31": "0"} {
		put(filepath.Join(proc, pid, "oom_score"), score+"\n")
	}
	for _, id := range []string{"a", "b", "protected", "deleted"} {
		s.containers[id] = &container{id: id}
	}
	if chosen := s.greediest(proc); chosen == nil || chosen.id != "b" {
		t.Errorf("got %+v", chosen)
	}
	// The watch must not end with a container that is deleted meanwhile.
	if err := s.end(&container{id: "deleted"}); err != nil {
		t.Error(err)
	}
}
