// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/sysctl"
	"hypernetes.org/runtime/internal/vmm"
)

// TestOrdinarySoftwareFindsAnOrdinaryNode checks what programs take for granted.
func TestOrdinarySoftwareFindsAnOrdinaryNode(t *testing.T) {
	p := newPodOf(t, func(s *vmm.Spec) { s.Memory = 256 << 20 })
	p.create(&guestv1.CreateContainerRequest{Id: "main"}, "/payload", "hold")
	p.start("main", "")
	for _, part := range []struct {
		name string
		test func(*pod)
	}{
		{"kernel parameters are a node's", parameters},
		{"limits are a node's", limits},
		{"readdir and stat agree", inodeNumbers},
		{"an exec ends though its input is unread", unreadInput},
		{"a part of a volume is as the kubelet makes it", subPaths},
		{"a volume at /etc does not hide the pod's files", volumeAtEtc},
		{"the OOM killer's order is the specification's", adjustments},
		{"a working directory that is not there is made", workingDirectory},
	} {
		t.Run(part.name, func(t *testing.T) {
			q := *p
			q.t = t
			part.test(&q)
		})
	}
}

func parameters(p *pod) {
	for _, setting := range sysctl.Defaults() {
		path := "/proc/sys/" + strings.ReplaceAll(setting.Name, ".", "/")
		got, _ := p.exec("main", "sysctl", "/payload", "print", path)
		if strings.Join(strings.Fields(got), " ") != setting.Value {
			p.t.Errorf("%s is %q, want %s", setting.Name, got, setting.Value)
		}
	}
}

func limits(p *pod) {
	text, _ := p.exec("main", "limits", "/payload", "print", "/proc/self/limits")
	for _, want := range [][]string{
		{"Max open files", "1048576 1048576 files"},
		{"Max processes", "unlimited unlimited processes"},
		{"Max pending signals", "unlimited unlimited signals"},
	} {
		found := false
		for line := range strings.Lines(text) {
			name, rest, ok := strings.Cut(line, want[0])
			found = found || ok && name == "" && strings.Join(strings.Fields(rest), " ") == want[1]
		}
		if !found {
			p.t.Errorf("no %q %q in %s", want[0], want[1], text)
		}
	}
	adjustment, _ := p.exec("main", "adjustment", "/payload", "print", "/proc/self/oom_score_adj")
	if strings.TrimSpace(adjustment) != "0" {
		p.t.Errorf("a container's oom_score_adj is %q", adjustment)
	}
}

// What a container is given, with its exec's, must arrive; 0 is given too.
func adjustments(p *pod) {
	for _, want := range []int{0, 500, -500} {
		process := specs.Process{Args: []string{"/payload", "print", "/proc/self/oom_score_adj"}, Cwd: "/", OOMScoreAdj: &want}
		p.create(&guestv1.CreateContainerRequest{Id: "adjusted", Spec: p.specOf(process)})
		out := p.stream("adjusted", "", 1)
		p.start("adjusted", "")
		if got := strings.TrimSpace(p.all(out)); got != strconv.Itoa(want) {
			p.t.Errorf("a container's oom_score_adj is %s, want %d", got, want)
		}
		p.wait("adjusted", "")
		_, err := p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "adjusted"})
		p.must(err)
		if got, _ := p.execOf("main", "adjusted", process); strings.TrimSpace(got) != strconv.Itoa(want) {
			p.t.Errorf("an exec's oom_score_adj is %s, want %d", got, want)
		}
	}
}

func workingDirectory(p *pod) {
	process := specs.Process{Args: []string{"/payload", "cwd"}, Cwd: "/not/there"}
	p.create(&guestv1.CreateContainerRequest{Id: "cwd", Spec: p.specOf(process)})
	out := p.stream("cwd", "", 1)
	p.start("cwd", "")
	if got := p.all(out); got != "/not/there\n" {
		p.t.Errorf("it runs in %q", got)
	}
}

func inodeNumbers(p *pod) {
	for _, dir := range []string{"/", "/etc"} {
		if got, _ := p.exec("main", "inodes", "/payload", "inodes", dir); !strings.HasPrefix(got, "compared ") || strings.Count(got, "\n") != 1 {
			p.t.Errorf("%s: %s", dir, got)
		}
	}
}

// Twenty in a row, as kubectl cp of files that cannot be written would do.
func unreadInput(p *pod) {
	for number := range 20 {
		name := fmt.Sprintf("head-%d", number)
		process, err := json.Marshal(specs.Process{Args: []string{"/payload", "head"}, Cwd: "/"})
		p.must(err)
		_, err = p.api.Exec(p.t.Context(), &guestv1.ExecRequest{Id: "main", ExecId: name, Process: process, Stdin: true})
		p.must(err)
		in := p.stream("main", name, 0)
		ended := make(chan struct{})
		go func() { // more than pipe and channel hold
			defer close(ended)
			_, _ = in.Write(make([]byte, 3<<20))
		}()
		p.start("main", name)
		if end := p.wait("main", name); end.ExitCode != 0 {
			p.t.Errorf("exit code %d", end.ExitCode)
		}
		// The host's end learns that nothing reads any more.
		p.must(in.SetReadDeadline(time.Now().Add(10 * time.Second)))
		if _, err := in.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			p.t.Errorf("the input's end: %v", err)
		}
		_ = in.Close()
		<-ended
		_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "main", ExecId: name})
		p.must(err)
	}
}

func subPaths(p *pod) {
	_, err := p.api.CreateVolume(p.t.Context(), &guestv1.CreateVolumeRequest{
		Id: "parts", Kind: guestv1.CreateVolumeRequest_EMPTY_DIR, Mode: 0o2777, Gid: 2000, Scratch: p.scratchDisk("parts").Serial})
	p.must(err)
	whole := []*guestv1.VolumeMount{{VolumeId: "parts", Destination: "/whole"}}
	_, _ = p.output(&guestv1.CreateContainerRequest{Id: "init", Mounts: whole}, "/payload", "write", "/whole/app.conf", "text")
	mounts := []*guestv1.VolumeMount{
		{VolumeId: "parts", Destination: "/part", SubPath: "a/b", CreateSubPath: true},
		{VolumeId: "parts", Destination: "/etc/app.conf", SubPath: "app.conf", CreateSubPath: true},
	}
	text, end := p.output(&guestv1.CreateContainerRequest{Id: "mode", Mounts: mounts}, "/payload", "mode", "/part")
	if text != "42777 0:2000\n" {
		p.t.Errorf("got %q, %v", text, end)
	}
	if text, end := p.output(&guestv1.CreateContainerRequest{Id: "file", Mounts: mounts}, "/payload", "print", "/etc/app.conf"); text != "text" {
		p.t.Errorf("got %q, %v", text, end)
	}
}

func volumeAtEtc(p *pod) {
	for id, kind := range map[string]guestv1.CreateVolumeRequest_Kind{
		"etc": guestv1.CreateVolumeRequest_EMPTY_DIR, "names": guestv1.CreateVolumeRequest_FILES,
	} {
		_, err := p.api.CreateVolume(p.t.Context(), &guestv1.CreateVolumeRequest{Id: id, Kind: kind, Scratch: p.scratchDisk("volume-" + id).Serial})
		p.must(err)
	}
	_, err := p.api.PutFiles(p.t.Context(), &guestv1.PutFilesRequest{VolumeId: "names", First: true, Final: true,
		Entries: []*guestv1.FileEntry{{Path: "resolv.conf", Mode: 0o644, Data: []byte("nameserver 10.0.0.2\n")}}})
	p.must(err)
	mounts := []*guestv1.VolumeMount{ // in the order of the shim: the pod's first
		{VolumeId: "names", SubPath: "resolv.conf", Destination: "/etc/resolv.conf"}, {VolumeId: "etc", Destination: "/etc"},
	}
	if text, end := p.output(&guestv1.CreateContainerRequest{Id: "etc", Mounts: mounts}, "/payload", "print", "/etc/resolv.conf"); text != "nameserver 10.0.0.2\n" {
		p.t.Errorf("got %q, %v", text, end)
	}
	// An image whose resolv.conf is a link to what a service of its own would make.
	dangling := p.t.TempDir()
	p.must(os.Mkdir(dangling+"/etc", 0o755))
	p.must(os.Symlink("../run/systemd/resolve/stub-resolv.conf", dangling+"/etc/resolv.conf"))
	image := []vmm.Disk{p.layer, erofs(p.t, "dangling", dangling)}
	serials := p.plug(image)
	text, end := p.output(&guestv1.CreateContainerRequest{Id: "dangling", Layers: serials, Mounts: mounts[:1]}, "/payload", "print", "/etc/resolv.conf")
	if text != "nameserver 10.0.0.2\n" {
		p.t.Errorf("with a dangling link: got %q, %v", text, end)
	}
}

// TestWantOfMemoryEndsTheRightContainer: limits on some, all and none of two and of
// ten containers. Whatever they take, the guest and the others go on.
func TestWantOfMemoryEndsTheRightContainer(t *testing.T) {
	const limit = 48 << 20
	for _, test := range []struct {
		count           int
		limited         func(number int) bool
		greedy          int // which one takes all it can
		greedyIsBounded bool
	}{
		{2, func(int) bool { return false }, 1, false},
		{2, func(n int) bool { return n == 0 }, 1, false},
		{2, func(n int) bool { return n == 1 }, 1, true},
		{2, func(int) bool { return true }, 0, true},
		{10, func(int) bool { return false }, 4, false},
		{10, func(n int) bool { return n%2 == 1 }, 4, false},
		{10, func(int) bool { return true }, 9, true},
	} {
		t.Run(fmt.Sprintf("%d containers, greedy %d, bounded %t", test.count, test.greedy, test.greedyIsBounded), func(t *testing.T) {
			p := newPodOf(t, func(s *vmm.Spec) { s.Memory = 512 << 20 })
			for number := range test.count {
				p.size = 0
				if test.limited(number) {
					p.size = limit
				}
				id := fmt.Sprintf("c%d", number)
				verb := []string{"/payload", "swell", "10"}
				if number == test.greedy {
					verb = []string{"/payload", "hold"}
				}
				p.create(&guestv1.CreateContainerRequest{Id: id}, verb...)
				out := p.stream(id, "", 1)
				p.start(id, "")
				word := make([]byte, len("holding\n"))
				_, err := out.Read(word)
				p.must(err)
			}
			greedy := fmt.Sprintf("c%d", test.greedy)
			process, err := json.Marshal(specs.Process{Args: []string{"/payload", "eat"}, Cwd: "/"})
			p.must(err)
			_, err = p.api.Exec(t.Context(), &guestv1.ExecRequest{Id: greedy, ExecId: "eat", Process: process})
			p.must(err)
			begin := time.Now()
			p.start(greedy, "eat")
			end := p.wait(greedy, "")
			t.Logf("ended after %s", time.Since(begin))
			if end.ExitCode != 137 || !end.OomKilled {
				t.Errorf("the greedy one: %v", end)
			}
			for number := range test.count {
				if number == test.greedy {
					continue
				}
				stats, err := p.api.Stats(t.Context(), &guestv1.ContainerRequest{Id: fmt.Sprintf("c%d", number)})
				p.must(err)
				if stats.Memory.OomKills != 0 || stats.Processes.Current == 0 {
					t.Errorf("c%d: %v", number, stats.Memory)
				}
			}
		})
	}
}

// TestThrashingEndsLikeWantOfMemory: a container leaves the others less than their programs'
// text, and asks for no more. The kernel alone drops pages and reads them again forever.
func TestThrashingEndsLikeWantOfMemory(t *testing.T) {
	p := newPodOf(t, func(s *vmm.Spec) { s.Memory = 256 << 20 })
	for number := range 4 {
		id := fmt.Sprintf("reader-%d", number)
		p.create(&guestv1.CreateContainerRequest{Id: id}, "/payload", "reread", "/payload")
		out := p.stream(id, "", 1)
		p.start(id, "")
		_, err := out.Read(make([]byte, len("holding\n")))
		p.must(err)
	}
	p.create(&guestv1.CreateContainerRequest{Id: "greedy"}, "/payload", "crowd")
	begin := time.Now()
	p.start("greedy", "")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	end, err := p.api.Wait(ctx, &guestv1.ProcessRequest{Id: "greedy"})
	p.must(err)
	t.Logf("ended after %s", time.Since(begin))
	if end.ExitCode != 137 || !end.OomKilled {
		t.Errorf("the greedy one: %v", end)
	}
	for number := range 4 {
		stats, err := p.api.Stats(t.Context(), &guestv1.ContainerRequest{Id: fmt.Sprintf("reader-%d", number)})
		p.must(err)
		if stats.Memory.OomKills != 0 || stats.Processes.Current == 0 {
			t.Errorf("reader-%d: %v", number, stats.Memory)
		}
	}
}
