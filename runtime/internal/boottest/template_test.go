// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/template"
	"hypernetes.org/runtime/internal/vmm"
	"hypernetes.org/runtime/internal/vmm/qemu"
)

func makeTemplate(t *testing.T, spec vmm.Spec) *template.Template {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	begin := time.Now()
	made, err := template.Make(ctx, qemu.New(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	state, err := made.State.Stat()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("template made in %s, %d KiB of state", time.Since(begin), state.Size()>>10)
	return made
}

// again opens the state again, since its position moves with each reader.
func again(t *testing.T, made *template.Template) *template.Template {
	t.Helper()
	state, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", made.State.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	return &template.Template{Memory: made.Memory, State: state}
}

func clone(t *testing.T, spec vmm.Spec, made *template.Template) *guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	begin := time.Now()
	machine, host, err := template.Clone(ctx, qemu.New(), spec, again(t, made))
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	endWithTest(t, machine)
	t.Cleanup(func() { _ = host.Close() })
	conn, err := host.RPC(ctx)
	if err != nil {
		t.Fatal(err)
	}
	client := ttrpc.NewClient(conn)
	t.Cleanup(func() { _ = client.Close() })
	return &guest{Machine: machine, host: host, api: guestv1.NewGuestClient(client), took: took}
}

// clonedPod is a clone as the shim makes it.
func clonedPod(t *testing.T, spec vmm.Spec, made *template.Template, layer vmm.Disk) *pod {
	t.Helper()
	p := &pod{guest: clone(t, spec, made), t: t, layer: layer, memory: spec.Memory, accelerator: spec.Accelerator}
	begin := time.Now()
	_, err := p.api.Configure(t.Context(), &guestv1.ConfigureRequest{Hostname: "pod-1", TimeUnixNano: time.Now().UnixNano()})
	p.must(err)
	t.Logf("hello and memory %s, Configure %s", p.took, time.Since(begin))
	p.must(p.AttachDisk(t.Context(), layer))
	return p
}

func TestAPodRunsInACloneAsInABootedMachine(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d CPUs", cpus), func(t *testing.T) {
			spec := specification(t)
			spec.CPUs = cpus
			made := makeTemplate(t, spec)
			begin := time.Now()
			p := clonedPod(t, spec, made, layerDisk(t))
			t.Logf("hello %s, ready %s", p.took, time.Since(begin))
			for _, part := range []struct {
				name string
				test func(*pod)
			}{
				{"standard streams", streams}, {"a missing command", missingCommand}, {"processes", sharedProcesses},
				{"a memory limit", memoryLimit}, {"counters", counters},
			} {
				t.Run(part.name, func(t *testing.T) {
					q := *p
					q.t = t
					part.test(&q)
				})
			}
			checkClock(t, p)
		})
	}
}

func checkClock(t *testing.T, p *pod) {
	t.Helper()
	before := time.Now()
	text, _ := p.output(&guestv1.CreateContainerRequest{Id: "clock"}, "/payload", "clock")
	now, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(text))
	if err != nil || now.Before(before.Add(-time.Second)) || now.After(time.Now().Add(time.Second)) {
		t.Errorf("the clone's clock says %q, %v", text, err)
	}
}

// TestClonesShareNoRandomness: what a kernel calls random must differ, from the first bytes on.
func TestClonesShareNoRandomness(t *testing.T) {
	spec := specification(t)
	made := makeTemplate(t, spec)
	layer := layerDisk(t)
	seen := map[string]int{}
	var times []time.Duration
	for number := range 10 {
		p := clonedPod(t, spec, made, layer)
		times = append(times, p.took)
		text, end := p.output(&guestv1.CreateContainerRequest{Id: "random"}, "/payload", "random")
		if end.ExitCode != 0 {
			t.Fatalf("clone %d: %v", number, end)
		}
		// boot_id, a UUID, addresses of the address space, and a digest of each 4 KiB of the first 1 MiB.
		words := strings.Fields(text)
		if len(words) != 3+256 {
			t.Fatalf("clone %d says %d words", number, len(words))
		}
		for _, word := range words {
			if other, ok := seen[word]; ok {
				t.Errorf("clones %d and %d share %s", other, number, word)
			}
			seen[word] = number
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	t.Logf("exec of QEMU to hello of a clone: median %s of %v", times[len(times)/2], times)
}

// TestClonesShareTheirMemory compares what a configured machine costs the host.
func TestClonesShareTheirMemory(t *testing.T) {
	spec := specification(t)
	spec.Memory = 256 << 20
	configure := func(g *guest) *guest {
		if _, err := g.api.Configure(t.Context(), &guestv1.ConfigureRequest{Hostname: "memory", TimeUnixNano: time.Now().UnixNano()}); err != nil {
			t.Fatal(err)
		}
		return g
	}
	booted := configure(boot(t, spec))
	made := makeTemplate(t, spec)
	var clones []*guest
	for range 4 {
		clones = append(clones, configure(clone(t, spec, made)))
	}
	bootedPSS, bootedPrivate := memoryOf(t, booted.PID())
	pss, private := 0, 0
	for _, g := range clones {
		p, own := memoryOf(t, g.PID())
		pss, private = pss+p/len(clones), private+own/len(clones)
	}
	t.Logf("PSS: booted %d MiB, one of %d clones %d MiB; private: %d and %d MiB", bootedPSS>>10, len(clones), pss>>10, bootedPrivate>>10, private>>10)
	if pss > bootedPSS/2 || private > bootedPrivate/2 {
		t.Error("clones share less than half")
	}
}

// memoryOf reads a process's proportional and private memory, in KiB.
func memoryOf(t *testing.T, pid int) (pss, private int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib := 0
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			continue
		}
		switch name {
		case "Pss":
			pss = kib
		case "Private_Clean", "Private_Dirty":
			private += kib
		}
	}
	return pss, private
}

// TestABusyCloneStaysWithinItsOverhead: what a clone takes is its memory and what the
// RuntimeClass declares, as of a machine that booted. The template's file has no part in it: it has
// all of its pages before.
func TestABusyCloneStaysWithinItsOverhead(t *testing.T) {
	spec := specification(t)
	spec.TranslationBuffer = 2 * qemu.MinimumTranslationBuffer
	made := makeTemplate(t, spec)
	before := blocks(t, made.Memory)
	p := clonedPod(t, spec, made, layerDisk(t))
	if _, end := p.output(&guestv1.CreateContainerRequest{Id: "eater"}, "/payload", "eat"); end.ExitCode != 137 {
		t.Errorf("the guest's memory was not all used: %v", end)
	}
	text, _ := p.output(&guestv1.CreateContainerRequest{Id: "spawn"}, "/payload", "spawn", "30s", "/payload", "exit", "0")
	_, private := memoryOf(t, p.PID())
	taken, grown := int64(private)<<10, blocks(t, made.Memory)-before
	allowed := qemu.Overhead(p.accelerator, spec.TranslationBuffer)
	t.Logf("%d MiB private; allowed are %d; the template had %d MiB and got %d more; %s processes",
		taken>>20, (p.memory+allowed)>>20, before>>20, grown>>20, strings.TrimSpace(text))
	if grown != 0 {
		t.Errorf("the clone is charged for %d MiB of its template", grown>>20)
	}
	if taken > p.memory+allowed {
		t.Errorf("the clone takes %d MiB, of %d", taken>>20, (p.memory+allowed)>>20)
	}
}

// TestACloneIsAsLargeAsAMachineThatBooted: what the kernel derives from the memory when it
// boots is the same, though the clone's template had little.
func TestACloneIsAsLargeAsAMachineThatBooted(t *testing.T) {
	spec := specification(t)
	spec.Memory = 640 << 20
	layer := layerDisk(t)
	show := append([]string{"/payload", "show"}, derived...)
	values := map[string][]string{}
	for name, p := range map[string]*pod{
		"booted": newPodOf(t, func(s *vmm.Spec) { s.Memory = spec.Memory }),
		"cloned": clonedPod(t, spec, makeTemplate(t, spec), layer),
	} {
		text, end := p.output(&guestv1.CreateContainerRequest{Id: "show"}, show...)
		if values[name] = strings.Split(strings.TrimSpace(text), "\n"); end.ExitCode != 0 || len(values[name]) != len(derived) {
			t.Fatalf("%s: %v, %s", name, end, text)
		}
	}
	for i, path := range derived {
		booted, cloned := strings.Fields(values["booted"][i]), strings.Fields(values["cloned"][i])
		for j, text := range booted {
			var want, got float64
			if _, err := fmt.Sscan(text, &want); err != nil {
				continue // a word
			}
			if _, err := fmt.Sscan(cloned[j], &got); err != nil || got < want*0.85 || got > want*1.15 {
				t.Errorf("%s: %v in a clone, %v in a machine that booted", path, cloned, booted)
				break
			}
		}
	}
}

// derived are kernel parameters and limits that depend on the memory.
var derived = []string{
	"/proc/sys/kernel/threads-max", "/proc/sys/fs/epoll/max_user_watches", "/proc/sys/fs/inotify/max_user_watches", "/proc/sys/fs/file-max",
	"/proc/sys/net/ipv4/tcp_mem", "/proc/sys/net/ipv4/udp_mem", "/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem",
	"/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_net_namespaces", "/proc/sys/kernel/pid_max", "/proc/sys/vm/max_map_count",
	"/proc/self/limits",
}

// blocks returns the memory that a file has pages for.
func blocks(t *testing.T, file *os.File) int64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Blocks * 512
}

// TestNobodyWritesATemplate tries every way to the memory that a clone's user has.
func TestNobodyWritesATemplate(t *testing.T) {
	spec := specification(t)
	made := makeTemplate(t, spec)
	g := clone(t, spec, made)
	paths := templatePaths(t, g.PID())
	if len(paths) < 2 {
		t.Fatalf("the clone's monitor shows the template only as %v", paths)
	}
	for _, user := range []uint32{testUser, 0} {
		for _, path := range paths {
			for way, err := range writes(user, path) {
				if err == nil {
					t.Errorf("as user %d: %s by %s succeeded", user, way, path)
				}
			}
		}
	}
	for way, err := range attempts(made.Memory) {
		if err == nil {
			t.Errorf("%s on the keeper's own descriptor succeeded", way)
		}
	}
}

// templatePaths finds the file below the monitor's /proc.
func templatePaths(t *testing.T, pid int) []string {
	t.Helper()
	var paths []string
	for _, dir := range []string{"fd", "map_files"} {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			path := fmt.Sprintf("/proc/%d/%s/%s", pid, dir, entry.Name())
			if target, err := os.Readlink(path); err == nil && strings.Contains(target, "memfd:hypernetes-") {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// writes tries to change a file as a user; an open that fails counts for all ways.
func writes(user uint32, path string) map[string]error {
	result := make(chan map[string]error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has another user
		if _, _, code := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(user), uintptr(user), uintptr(user)); code != 0 {
			result <- map[string]error{"setresuid": nil}
			return
		}
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			result <- map[string]error{"open": err}
			return
		}
		file := os.NewFile(uintptr(fd), path)
		defer file.Close()
		result <- attempts(file)
	}()
	return <-result
}

func attempts(file *os.File) map[string]error {
	_, write := file.WriteAt([]byte("x"), 4096)
	mapped, shared := unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if shared == nil {
		_ = unix.Munmap(mapped)
	}
	_, seals := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE)
	return map[string]error{
		"write": write, "a shared mapping": shared,
		"a hole":        unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096),
		"truncation":    file.Truncate(0),
		"growth":        file.Truncate(1 << 40),
		"another seal":  seals,
		"zeroing range": unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_ZERO_RANGE, 0, 4096),
	}
}
