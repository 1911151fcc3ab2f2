// SPDX-License-Identifier: Apache-2.0

//go:build boot

// Package boottest boots the real guest in a real QEMU and communicates with it
// over the real channel. It needs a built guest and root:
//
//	distribution/build --output DIST guest
//	HYPERNETES_GUEST_DIR=DIST/guest go test -tags boot ./internal/boottest
package boottest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/ttrpc"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/vmm"
	"hypernetes.org/runtime/internal/vmm/qemu"
)

const (
	deadline = 2 * time.Minute
	// How long one machine may be in use; the longest use takes a minute.
	patience = 6 * time.Minute
	// Any unprivileged UID that is not used otherwise.
	testUser = 262000
)

// guest is a booted machine.
type guest struct {
	vmm.Machine
	host *channel.Host
	api  guestv1.GuestService
	took time.Duration // from exec of QEMU to the hello line
}

func guestDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("HYPERNETES_GUEST_DIR")
	if dir == "" {
		t.Fatal("HYPERNETES_GUEST_DIR is not set: run distribution/build --output DIST guest, and set it to DIST/guest")
	}
	return dir
}

func specification(t *testing.T) vmm.Spec {
	t.Helper()
	dir := guestDir(t)
	executable, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	accelerator := os.Getenv("HYPERNETES_ACCELERATOR")
	if accelerator == "" {
		accelerator = vmm.AcceleratorTCG
	}
	return vmm.Spec{
		ID: "boottest", GuestDir: dir, Executable: executable, Accelerator: accelerator, TSCkHz: qemu.TSCkHz(),
		TranslationBuffer: config.Default().TranslationBuffer,
		Memory:            192 << 20, CPUs: 1, UID: testUser, GID: testUser, Stderr: os.Stderr,
	}
}

func boot(t *testing.T, spec vmm.Spec) *guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	begin := time.Now()
	machine, err := qemu.New().Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	endWithTest(t, machine)
	host, err := channel.Dial(ctx, machine.Channel())
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	t.Cleanup(func() { _ = host.Close() })
	conn, err := host.RPC(ctx)
	if err != nil {
		t.Fatal(err)
	}
	client := ttrpc.NewClient(conn)
	t.Cleanup(func() { _ = client.Close() })
	return &guest{Machine: machine, host: host, api: guestv1.NewGuestClient(client), took: took}
}

// endWithTest kills the machine at the test's end, and before it when the test waits for it
// too long: whatever waits for an answer or for a stream's end then fails, and the test with it.
func endWithTest(t *testing.T, machine vmm.Machine) {
	t.Helper()
	hangs := time.AfterFunc(patience, func() {
		t.Errorf("the machine is still needed after %s; its threads:\n%s", patience, threads(machine.PID()))
		_ = machine.Kill()
	})
	t.Cleanup(func() {
		hangs.Stop()
		if err := machine.Kill(); err != nil {
			t.Error(err)
		}
		<-machine.Done()
	})
}

// threads says what each thread of a process does: its name, its state, the time it has used
// and where in the kernel it waits.
func threads(pid int) string {
	var text strings.Builder
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		stat, _ := os.ReadFile(filepath.Join(task, "stat"))
		stack, _ := os.ReadFile(filepath.Join(task, "stack"))
		fmt.Fprintf(&text, "%s%s", stat, stack)
	}
	return text.String()
}

func run(t *testing.T, program string, arguments ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
}

func TestTheGuestSaysHello(t *testing.T) {
	var times []time.Duration
	for range 5 {
		g := boot(t, specification(t))
		times = append(times, g.took)
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	t.Logf("exec of QEMU to hello: median %s of %v", times[len(times)/2], times)
}

func TestMachinesOfEverySizeBoot(t *testing.T) {
	for name, change := range map[string]func(*vmm.Spec){
		"the least memory":    func(s *vmm.Spec) { s.Memory = vmm.MinimumMemory },
		"two CPUs":            func(s *vmm.Spec) { s.CPUs, s.Memory = 2, 512<<20 },
		"memory beyond 4 GiB": func(s *vmm.Spec) { s.Memory = 5 << 30 },
		"a counter not known": func(s *vmm.Spec) { s.TSCkHz = 0 },
		"four CPUs":           func(s *vmm.Spec) { s.CPUs = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			spec := specification(t)
			change(&spec)
			g := boot(t, spec)
			before := time.Now()
			answer, err := g.api.Configure(t.Context(), &guestv1.ConfigureRequest{Hostname: "size", TimeUnixNano: time.Now().UnixNano()})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("hello %s, Configure %s, kernel %s", g.took, time.Since(before), answer.KernelRelease)
		})
	}
}

func TestTheMachineEndsWhenTheHostClosesTheChannel(t *testing.T) {
	g := boot(t, specification(t))
	// A call makes sure that the guest is past its boot.
	if _, err := g.api.Configure(t.Context(), &guestv1.ConfigureRequest{Hostname: "short"}); err != nil {
		t.Fatal(err)
	}
	if err := g.host.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := g.Wait(ctx); err != nil {
		t.Fatal("the guest stayed alone:", err)
	}
}

func TestTheAcceleratorIsChosenOnceAndRemembered(t *testing.T) {
	spec := specification(t)
	probe := qemu.Probe{
		Requested: vmm.AcceleratorAuto, GuestDir: spec.GuestDir, Executable: spec.Executable,
		UID: testUser, GID: testUser, CacheFile: filepath.Join(t.TempDir(), "accelerator"),
	}
	begin := time.Now()
	first, err := qemu.ChooseAccelerator(t.Context(), probe)
	if err != nil {
		t.Fatal(err)
	}
	tried := time.Now()
	second, err := qemu.ChooseAccelerator(t.Context(), probe)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || first.TSCkHz == 0 {
		t.Errorf("first %+v, then %+v", first, second)
	}
	t.Logf("%+v in %s, from the cache in %s", first, tried.Sub(begin), time.Since(tried))
	if time.Since(tried) > time.Second {
		t.Error("the answer was not kept")
	}
}
