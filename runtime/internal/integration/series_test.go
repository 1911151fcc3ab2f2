// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

func TestManyPodsLeaveNothing(t *testing.T) {
	n := newNode(t)
	for range 5 {
		p := n.newPod(t, nil)
		p.run("main", "sleep 1000", nil)
		p.remove()
	}
	nothingLeft(t)
}

func TestAShimIsSmall(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "sleep 1000", nil)
	p.exec(id, "true")
	time.Sleep(time.Second)
	shim, monitor := p.memory("containerd-shim-hyper"), p.memory("qemu-system")
	t.Logf("PSS: shim %d KiB, emulator %d KiB", shim, monitor)
	// Some 18 MiB were measured with symbols, of which 11 are program text that
	// pods share; much more is another design.
	if shim > 24<<10 {
		t.Errorf("the shim takes %d KiB", shim)
	}
	p.remove()
}

var pss = regexp.MustCompile(`(?m)^Pss:\s+(\d+) kB$`)

// memory sums the proportional set size of processes, in KiB.
func (p *pod) memory(word string) int {
	p.t.Helper()
	total := 0
	for pid := range processes(p.t, word) {
		text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		must(p.t, err)
		match := pss.FindSubmatch(text)
		if match == nil {
			p.t.Fatalf("no size in %q", text)
		}
		kib, err := strconv.Atoi(string(match[1]))
		must(p.t, err)
		total += kib
	}
	return total
}
