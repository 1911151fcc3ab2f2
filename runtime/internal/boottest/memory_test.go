// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/vmm"
	"hypernetes.org/runtime/internal/vmm/qemu"
)

// usage is a process's memory in bytes.
type usage struct{ pss, private int64 }

// measure reads a process's memory: all of it, and without the mapping that is the
// guest's memory.
func measure(t *testing.T, pid int, guestMemory int64) (whole, own usage) {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	guests := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		number, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue // a mapping's first line
		}
		number <<= 10
		switch fields[0] {
		case "Size:":
			guests = number == guestMemory
		case "Pss:":
			whole.pss += number
			if !guests {
				own.pss += number
			}
		case "Private_Clean:", "Private_Dirty:":
			whole.private += number
			if !guests {
				own.private += number
			}
		}
	}
	return whole, own
}

// A machine is busy in both of its parts: the guest has used all of its memory,
// and the emulator has translated more than its buffer holds. What it then takes is
// what the RuntimeClass must declare (pod_overhead_memory), less the shim.
func TestABusyMachineStaysWithinItsOverhead(t *testing.T) {
	for _, cpus := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d CPUs", cpus), func(t *testing.T) {
			p := newPodOf(t, func(s *vmm.Spec) { s.CPUs, s.TranslationBuffer = cpus, qemu.MinimumTranslationBuffer*2 })
			if _, end := p.output(&guestv1.CreateContainerRequest{Id: "eater"}, "/payload", "eat"); end.ExitCode != 137 {
				t.Errorf("the guest's memory was not all used: %v", end)
			}
			text, _ := p.output(&guestv1.CreateContainerRequest{Id: "spawn"}, "/payload", "spawn", "30s", "/payload", "exit", "0")
			whole, own := measure(t, p.PID(), p.memory)
			allowed := qemu.Overhead(p.accelerator, qemu.MinimumTranslationBuffer*2)
			t.Logf("%d MiB, without the guest's %d MiB; allowed are %d; %s processes",
				whole.pss>>20, own.pss>>20, allowed>>20, strings.TrimSpace(text))
			if own.pss > allowed || whole.pss > p.memory+allowed {
				t.Errorf("the machine takes %d MiB more than its guest, of %d", own.pss>>20, allowed>>20)
			}
		})
	}
}

// goRoot names a Go tree to put into the image, for measurements.
const goRoot = "HYPERNETES_GOROOT"

// TestTheTranslationBuffer prints what its size costs and gives. The sizes to try are
// said in MiB: HYPERNETES_TRANSLATION_BUFFERS=32,64,128
func TestTheTranslationBuffer(t *testing.T) {
	sizes := os.Getenv("HYPERNETES_TRANSLATION_BUFFERS")
	if sizes == "" {
		t.Skip("a measurement: HYPERNETES_TRANSLATION_BUFFERS says of which sizes")
	}
	for text := range strings.SplitSeq(sizes, ",") {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(text, func(t *testing.T) {
			p := newPodOf(t, func(s *vmm.Spec) { s.TranslationBuffer, s.Memory = size<<20, 1<<30 })
			_, idle := measure(t, p.PID(), p.memory)
			begin := time.Now()
			p.output(&guestv1.CreateContainerRequest{Id: "compute"}, "/payload", "compute", "40")
			computed := time.Since(begin)
			built := compile(p)
			p.create(&guestv1.CreateContainerRequest{Id: "spawn"}, "/payload", "spawn", "60s", "/payload", "exit", "0")
			out := p.stream("spawn", "", 1)
			p.start("spawn", "")
			peak := usage{}
			done := make(chan string)
			go func() { done <- p.all(out) }()
			for running := true; running; {
				select {
				case spawned := <-done:
					t.Logf("spawned in 60s: %s", strings.TrimSpace(spawned))
					running = false
				case <-time.After(time.Second):
				}
				if _, own := measure(t, p.PID(), p.memory); own.pss > peak.pss {
					peak = own
				}
			}
			t.Logf("tb-size %s: idle own pss %d MiB private %d; busy own pss %d private %d; compute %s, compile %s",
				text, idle.pss>>20, idle.private>>20, peak.pss>>20, peak.private>>20, computed, built)
		})
	}
}

// compile has a container build some packages, if the image has a Go in it
// (HYPERNETES_GOROOT), and returns how long it took.
func compile(p *pod) time.Duration {
	if os.Getenv(goRoot) == "" {
		return 0
	}
	p.env = []string{"GOROOT=/go", "HOME=/tmp", "GOFLAGS=-p=1", "GOTELEMETRY=off", "GOTOOLCHAIN=local"}
	begin := time.Now()
	if text, end := p.output(&guestv1.CreateContainerRequest{Id: "compile"}, "/go/bin/go", "build", "-a", "strconv"); end.ExitCode != 0 {
		p.t.Errorf("%v: %s", end, text)
	}
	p.env = nil
	return time.Since(begin)
}
