// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/vmm"
)

// pod is a booted guest with an image layer.
type pod struct {
	*guest
	t     *testing.T
	layer vmm.Disk
	disks string // the host's directory of scratch disks; "": the test's own

	memory      int64 // the machine's
	accelerator string
	env         []string // of containers made from now on; nil: the usual
	size        int64    // memory limit of containers made from now on; 0: none
}

// layerDisk is a whole image: the payload and what a container needs.
func layerDisk(t *testing.T) vmm.Disk {
	t.Helper()
	root := filepath.Join(t.TempDir(), "image")
	for _, dir := range []string{"proc", "sys", "dev", "etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CGO_ENABLED", "0")
	run(t, "go", "build", "-ldflags", "-s -w", "-o", filepath.Join(root, "payload"), "./payload")
	if tree := os.Getenv(goRoot); tree != "" {
		run(t, "cp", "-a", tree, filepath.Join(root, "go"))
	}
	return erofs(t, "layer-1", root)
}

func erofs(t *testing.T, serial, root string) vmm.Disk {
	t.Helper()
	image := filepath.Join(t.TempDir(), serial+".erofs")
	run(t, "mkfs.erofs", image, root)
	return vmm.Disk{Path: image, ReadOnly: true, Serial: serial}
}

func newPod(t *testing.T) *pod {
	t.Helper()
	return newPodOf(t, func(*vmm.Spec) {})
}

// newPodOf is a pod whose machine differs from the usual.
func newPodOf(t *testing.T, change func(*vmm.Spec)) *pod {
	t.Helper()
	spec := specification(t)
	change(&spec)
	layer := layerDisk(t)
	p := &pod{guest: boot(t, spec), t: t, layer: layer, memory: spec.Memory, accelerator: spec.Accelerator}
	begin := time.Now()
	_, err := p.api.Configure(t.Context(), &guestv1.ConfigureRequest{Hostname: "pod-1", TimeUnixNano: time.Now().UnixNano()})
	p.must(err)
	configured := time.Now()
	p.must(p.AttachDisk(t.Context(), layer))
	t.Logf("hello %s, Configure %s, AttachDisk %s", p.took, configured.Sub(begin), time.Since(configured))
	return p
}

func (p *pod) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) environment() []string {
	if p.env != nil {
		return p.env
	}
	return []string{"GOGC=off"}
}

func (p *pod) spec(arguments ...string) []byte {
	return p.specOf(specs.Process{Args: arguments, Cwd: "/", Env: p.environment()})
}

func (p *pod) specOf(process specs.Process) []byte {
	spec := specs.Spec{
		Version: "1.3.0", // containerd's
		Process: &process,
		Root:    &specs.Root{Path: "rootfs"},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
		},
		Linux: &specs.Linux{Resources: &specs.LinuxResources{}},
	}
	if p.size > 0 {
		spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &p.size}
	}
	text, err := json.Marshal(spec)
	p.must(err)
	return text
}

func (p *pod) create(request *guestv1.CreateContainerRequest, arguments ...string) {
	p.t.Helper()
	if request.Spec == nil {
		request.Spec = p.spec(arguments...)
	}
	if request.Layers == nil {
		request.Layers = []string{p.layer.Serial}
	}
	if request.Scratch == "" {
		request.Scratch = p.scratchDisk(request.Id).Serial
	}
	request.Stdout = true
	_, err := p.api.CreateContainer(p.t.Context(), request)
	p.must(err)
}

func (p *pod) stream(id, exec string, fd uint8) net.Conn {
	p.t.Helper()
	conn, err := p.host.IO(p.t.Context(), id, exec, fd)
	p.must(err)
	return conn
}

func (p *pod) start(id, exec string) {
	p.t.Helper()
	_, err := p.api.Start(p.t.Context(), &guestv1.ProcessRequest{Id: id, ExecId: exec})
	p.must(err)
}

func (p *pod) wait(id, exec string) *guestv1.WaitResponse {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	end, err := p.api.Wait(ctx, &guestv1.ProcessRequest{Id: id, ExecId: exec})
	p.must(err)
	return end
}

func (p *pod) all(conn io.Reader) string {
	p.t.Helper()
	text, err := io.ReadAll(conn)
	p.must(err)
	return string(text)
}

// output runs a container to its end.
func (p *pod) output(request *guestv1.CreateContainerRequest, arguments ...string) (string, *guestv1.WaitResponse) {
	p.t.Helper()
	p.create(request, arguments...)
	out := p.stream(request.Id, "", 1)
	p.start(request.Id, "")
	text := p.all(out)
	end := p.wait(request.Id, "")
	_, err := p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: request.Id})
	p.must(err)
	return text, end
}

// exec runs a process in a container to its end.
func (p *pod) exec(id, exec string, arguments ...string) (string, *guestv1.WaitResponse) {
	p.t.Helper()
	return p.execOf(id, exec, specs.Process{Args: arguments, Cwd: "/"})
}

func (p *pod) execOf(id, exec string, wanted specs.Process) (string, *guestv1.WaitResponse) {
	p.t.Helper()
	process, err := json.Marshal(wanted)
	p.must(err)
	_, err = p.api.Exec(p.t.Context(), &guestv1.ExecRequest{Id: id, ExecId: exec, Process: process, Stdout: true})
	p.must(err)
	out := p.stream(id, exec, 1)
	p.start(id, exec)
	text := p.all(out)
	end := p.wait(id, exec)
	_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: id, ExecId: exec})
	p.must(err)
	return text, end
}

func TestAPod(t *testing.T) {
	p := newPod(t)
	for _, part := range []struct {
		name string
		test func(*pod)
	}{
		{"standard streams reach the process and back", streams},
		{"exit codes come back", exitCodes},
		{"a command that is not there is an error of Start", missingCommand},
		{"containers share the host name and have their own processes", sharing},
		{"a shared process namespace is shared", sharedProcesses},
		{"files are copied in and replaced", files},
		{"an empty directory is shared between containers", emptyDirectory},
		{"signals reach the process", signals},
		{"a terminal has a size and echoes", terminal},
		{"a memory limit kills and is reported", memoryLimit},
		{"counters are read", counters},
		{"a layer is released and unplugged", release},
	} {
		ok := t.Run(part.name, func(t *testing.T) {
			begin := time.Now()
			q := *p
			q.t = t
			part.test(&q)
			t.Logf("took %s", time.Since(begin))
		})
		if !ok && p.exited() {
			t.Fatal("the machine is gone")
		}
	}
}

func (p *pod) exited() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func streams(p *pod) {
	begin := time.Now()
	p.create(&guestv1.CreateContainerRequest{Id: "streams", Stdin: true, Stderr: true}, "/payload", "copy")
	created := time.Now()
	in, out, failed := p.stream("streams", "", 0), p.stream("streams", "", 1), p.stream("streams", "", 2)
	attached := time.Now()
	p.start("streams", "")
	p.t.Logf("CreateContainer %s, three streams %s, Start %s", created.Sub(begin), attached.Sub(created), time.Since(attached))
	sent := strings.Repeat("0123456789abcde\n", 1<<14)
	go func() {
		_, _ = io.WriteString(in, sent) // lost data is noticed below
		_ = in.Close()
	}()
	if got := p.all(out); got != sent {
		p.t.Errorf("sent %d bytes, got back %d", len(sent), len(got))
	}
	if got := p.all(failed); got != "end" {
		p.t.Errorf("standard error: %q", got)
	}
	if end := p.wait("streams", ""); end.ExitCode != 0 {
		p.t.Errorf("exit code %d", end.ExitCode)
	}
	begin = time.Now()
	_, err := p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "streams"})
	p.must(err)
	p.t.Logf("Delete %s", time.Since(begin))
}

func exitCodes(p *pod) {
	if _, end := p.output(&guestv1.CreateContainerRequest{Id: "code"}, "/payload", "exit", "42"); end.ExitCode != 42 {
		p.t.Errorf("exit code %d", end.ExitCode)
	}
}

func missingCommand(p *pod) {
	p.create(&guestv1.CreateContainerRequest{Id: "missing", Stderr: true}, "/nothing")
	out, failed := p.stream("missing", "", 1), p.stream("missing", "", 2)
	_, err := p.api.Start(p.t.Context(), &guestv1.ProcessRequest{Id: "missing"})
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), "no such file") {
		p.t.Errorf("Start: %v", err)
	}
	if text := p.all(out) + p.all(failed); text != "" {
		p.t.Errorf("the container's log would hold %q", text)
	}
	_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "missing"})
	p.must(err)
}

func sharing(p *pod) {
	text, _ := p.output(&guestv1.CreateContainerRequest{Id: "who"}, "/payload", "who")
	if text != "pod-1 1 0\n" {
		p.t.Errorf("got %q", text)
	}
}

func sharedProcesses(p *pod) {
	text, _ := p.output(&guestv1.CreateContainerRequest{Id: "shared", PidNamespace: guestv1.PidNamespace_POD}, "/payload", "who")
	if !strings.HasPrefix(text, "pod-1 ") || strings.HasPrefix(text, "pod-1 1 ") {
		p.t.Errorf("got %q", text)
	}
}

func files(p *pod) {
	_, err := p.api.CreateVolume(p.t.Context(), &guestv1.CreateVolumeRequest{Id: "config", Kind: guestv1.CreateVolumeRequest_FILES})
	p.must(err)
	put := func(version, text string) {
		_, err := p.api.PutFiles(p.t.Context(), &guestv1.PutFilesRequest{
			VolumeId: "config", First: true, Final: true,
			Entries: []*guestv1.FileEntry{
				{Path: version, Type: guestv1.FileEntry_DIRECTORY, Mode: 0o755},
				{Path: version + "/key", Mode: 0o644, Data: []byte(text)},
				{Path: "key", Type: guestv1.FileEntry_SYMLINK, Target: "..data/key"},
				{Path: "..data", Type: guestv1.FileEntry_SYMLINK, Target: version},
			},
		})
		p.must(err)
	}
	put("..1", "one")
	p.create(&guestv1.CreateContainerRequest{Id: "files", Mounts: []*guestv1.VolumeMount{
		{VolumeId: "config", Destination: "/config", ReadOnly: true},
		{VolumeId: "config", SubPath: "..1/key", Destination: "/etc/single", ReadOnly: true},
	}}, "/payload", "hold")
	p.start("files", "")
	if got, _ := p.exec("files", "first", "/payload", "print", "/config/key"); got != "one" {
		p.t.Errorf("got %q", got)
	}
	if got, _ := p.exec("files", "single", "/payload", "print", "/etc/single"); got != "one" {
		p.t.Errorf("got %q", got)
	}
	put("..2", "two")
	if got, _ := p.exec("files", "second", "/payload", "print", "/config/key"); got != "two" {
		p.t.Errorf("after the update: %q", got)
	}
	if _, end := p.exec("files", "third", "/payload", "print", "/config/..1/key"); end.ExitCode != 1 {
		p.t.Error("the old directory is still there")
	}
	if _, end := p.exec("files", "fourth", "/payload", "write", "/config/key", "x"); end.ExitCode != 1 {
		p.t.Error("a read-only mount was written to")
	}
	p.end("files")
}

func (p *pod) end(id string) {
	p.t.Helper()
	_, err := p.api.Signal(p.t.Context(), &guestv1.SignalRequest{Id: id, Signal: 9})
	p.must(err)
	if end := p.wait(id, ""); end.ExitCode != 137 {
		p.t.Errorf("exit code of a killed container: %d", end.ExitCode)
	}
	_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: id})
	p.must(err)
}

func emptyDirectory(p *pod) {
	for _, kind := range []guestv1.CreateVolumeRequest_Kind{guestv1.CreateVolumeRequest_EMPTY_DIR, guestv1.CreateVolumeRequest_MEMORY} {
		id := "empty-" + kind.String()
		_, err := p.api.CreateVolume(p.t.Context(), &guestv1.CreateVolumeRequest{Id: id, Kind: kind, SizeLimit: 1 << 20,
			Scratch: p.scratchDisk(id).Serial})
		p.must(err)
		mounts := []*guestv1.VolumeMount{{VolumeId: id, Destination: "/cache"}}
		_, _ = p.output(&guestv1.CreateContainerRequest{Id: "writer", Mounts: mounts}, "/payload", "write", "/cache/message", "hello")
		text, _ := p.output(&guestv1.CreateContainerRequest{Id: "reader", Mounts: mounts}, "/payload", "print", "/cache/message")
		if text != "hello" {
			p.t.Errorf("%s: got %q", kind, text)
		}
		answer, err := p.api.GetFile(p.t.Context(), &guestv1.GetFileRequest{VolumeId: id, Path: "message", MaxBytes: 3})
		p.must(err)
		if string(answer.Data) != "llo" || !answer.Truncated {
			p.t.Errorf("%s: GetFile gave %v", kind, answer)
		}
	}
}

func signals(p *pod) {
	p.create(&guestv1.CreateContainerRequest{Id: "signals"}, "/payload", "hold")
	out := p.stream("signals", "", 1)
	p.start("signals", "")
	word := make([]byte, len("holding\n"))
	_, err := io.ReadFull(out, word)
	p.must(err)
	_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "signals"})
	if status.Code(err) != codes.FailedPrecondition {
		p.t.Errorf("Delete of a running container: %v", err)
	}
	_, err = p.api.Signal(p.t.Context(), &guestv1.SignalRequest{Id: "signals", Signal: 15})
	p.must(err)
	if end := p.wait("signals", ""); end.ExitCode != 7 {
		p.t.Errorf("exit code %d", end.ExitCode)
	}
	_, err = p.api.Signal(p.t.Context(), &guestv1.SignalRequest{Id: "signals", Signal: 15})
	if status.Code(err) != codes.NotFound {
		p.t.Errorf("Signal after the exit: %v", err)
	}
	_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "signals"})
	p.must(err)
}

func terminal(p *pod) {
	p.create(&guestv1.CreateContainerRequest{Id: "terminal", Terminal: true, Stdin: true}, "/payload", "terminal")
	in, out := p.stream("terminal", "", 0), p.stream("terminal", "", 1)
	p.start("terminal", "")
	_, err := p.api.ResizePty(p.t.Context(), &guestv1.ResizePtyRequest{Id: "terminal", Width: 132, Height: 43})
	p.must(err)
	_, err = io.WriteString(in, "line\n\x04")
	p.must(err)
	if got, want := p.all(out), "line\r\nline 132x43\r\n"; got != want {
		p.t.Errorf("got %q, want %q", got, want)
	}
	p.wait("terminal", "")
	_, err = p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "terminal"})
	p.must(err)
}

func memoryLimit(p *pod) {
	p.size = 32 << 20
	_, end := p.output(&guestv1.CreateContainerRequest{Id: "eater"}, "/payload", "eat")
	if end.ExitCode != 137 || !end.OomKilled {
		p.t.Errorf("got %v", end)
	}
}

func counters(p *pod) {
	p.size = 48 << 20
	p.create(&guestv1.CreateContainerRequest{Id: "counted"}, "/payload", "hold")
	p.start("counted", "")
	stats, err := p.api.Stats(p.t.Context(), &guestv1.ContainerRequest{Id: "counted"})
	p.must(err)
	if stats.Memory.Usage == 0 || stats.Memory.Limit != 48<<20 || stats.Cpu.Usage == 0 || stats.Processes.Current == 0 ||
		stats.Scratch.CapacityBytes == 0 {
		p.t.Errorf("got %v", stats)
	}
	_, err = p.api.Update(p.t.Context(), &guestv1.UpdateRequest{Id: "counted", Resources: []byte(`{"memory":{"limit":67108864}}`)})
	p.must(err)
	stats, err = p.api.Stats(p.t.Context(), &guestv1.ContainerRequest{Id: "counted"})
	p.must(err)
	if stats.Memory.Limit != 64<<20 {
		p.t.Errorf("after the update: %v", stats.Memory)
	}
	p.end("counted")
}
