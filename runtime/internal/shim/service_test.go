// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	sandboxapi "github.com/containerd/containerd/api/runtime/sandbox/v1"
	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/fakeguest"
	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/template"
)

const id = "sandbox1"

// fixture is a service on a node that is a directory.
type fixture struct {
	*Service
	t     *testing.T
	guest *fakeguest.Guest
	cfg   config.Config
	tasks *tasks
	// groups is the mount point of the only cgroup hierarchy, if any.
	groups []string
	scores []int // the monitor's oom_score_adj, each

	ended atomic.Int32 // how many times the process was asked to exit

	mu     sync.Mutex
	events []string
	exits  map[string]uint32
}

func (f *fixture) Publish(_ context.Context, topic string, event proto.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, topic)
	if exit, ok := event.(*eventtypes.TaskExit); ok {
		f.exits[exit.GetID()] = exit.GetExitStatus()
	}
	return nil
}

func newFixture(t *testing.T, guest *fakeguest.Guest) *fixture {
	t.Helper()
	return newFixtureOf(t, guest, config.TemplatesOff, nil)
}

// newFixtureOf is a node with a keeper of templates.
func newFixtureOf(t *testing.T, guest *fakeguest.Guest, templates string,
	ask func(context.Context, string, template.Request) (*template.Template, error),
) *fixture {
	t.Helper()
	root := t.TempDir()
	cfg := config.Default()
	cfg.Templates = templates
	cfg.RecordsDir, cfg.VMDir = filepath.Join(root, "records"), filepath.Join(root, "vm")
	cfg.ScratchSize = 64 << 20
	cfg.KubeletDir, cfg.ContainerdRoot = filepath.Join(root, "kubelet"), filepath.Join(root, "containerd")
	for _, dir := range []string{cfg.RecordsDir, cfg.ContainerdRoot, filepath.Join(cfg.KubeletDir, "pods/u1/containers/c1")} {
		must(t, os.MkdirAll(dir, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(cfg.RecordsDir, id+".json"), []byte(fmt.Sprintf(`{"version":1,"sandbox_id":%q,"pod_uid":"u1",
		"namespace_id":"namespace-1","project_id":"project-1","tap":"tap0","mac":"fa:16:3e:00:00:01","mtu":1442,"addresses":["10.0.0.5/24"],"routes":[]}`, id)), 0o600))
	f := &fixture{t: t, guest: guest, cfg: cfg, exits: map[string]uint32{}}
	ctx, cancel := context.WithCancel(context.Background())
	host := sandbox.Host{
		Config: cfg, Driver: guest, Template: ask,
		Accelerator: func(context.Context, config.Config, uint32) (string, int, error) { return "tcg", 0, nil },
		OpenTAP:     func(string) (*os.File, error) { return os.Open(os.DevNull) },
		Hierarchies: func() ([]string, error) { return f.groups, nil },
		AdjustOOM:   func(_, score int) error { f.scores = append(f.scores, score); return nil },
	}
	f.Service = New(ctx, id, func() (sandbox.Host, error) { return host, nil }, f, func() { f.ended.Add(1) })
	f.tasks = (*tasks)(f.Service)
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		_ = guest.Kill()
	})
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) create(change func(*criruntime.PodSandboxConfig)) error {
	f.t.Helper()
	pod := &criruntime.PodSandboxConfig{Metadata: &criruntime.PodSandboxMetadata{Uid: "u1", Name: "p"}, Hostname: "p",
		Linux: &criruntime.LinuxPodSandboxConfig{Resources: &criruntime.LinuxContainerResources{MemoryLimitInBytes: 256 << 20}}}
	if change != nil {
		change(pod)
	}
	options, err := proto.Marshal(pod)
	must(f.t, err)
	_, err = f.CreateSandbox(f.t.Context(), &sandboxapi.CreateSandboxRequest{SandboxID: id, NetnsPath: "/run/netns/x",
		Options: &anypb.Any{Value: options}})
	return errgrpc.ToNative(err)
}

func (f *fixture) boot() {
	f.t.Helper()
	must(f.t, f.create(nil))
	_, err := f.StartSandbox(f.t.Context(), &sandboxapi.StartSandboxRequest{SandboxID: id})
	must(f.t, err)
}

// upper is the directory that containerd measures as a container's writable layer.
func (f *fixture) upper(name string) string {
	snapshot := strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(name))), 10)
	return filepath.Join(f.cfg.ContainerdRoot, "io.containerd.snapshotter.v1.erofs/snapshots", snapshot, "fs")
}

// nothingLeft checks the directory of a machine that is gone.
func (f *fixture) nothingLeft() {
	f.t.Helper()
	dir := filepath.Join(f.cfg.VMDir, id)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		f.t.Errorf("%s holds %v", dir, entries)
	}
}

// container creates a container of one layer, with changes to its specification.
func (f *fixture) container(name string, change func(*specs.Spec)) error {
	f.t.Helper()
	spec := &specs.Spec{Process: &specs.Process{Args: []string{"sh"}}, Root: &specs.Root{Path: "rootfs"},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}}}}
	if change != nil {
		change(spec)
	}
	text, err := json.Marshal(spec)
	must(f.t, err)
	bundle := f.t.TempDir()
	must(f.t, os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600))
	snapshots := filepath.Join(f.cfg.ContainerdRoot, "io.containerd.snapshotter.v1.erofs/snapshots")
	must(f.t, os.MkdirAll(f.upper(name), 0o755))
	_, err = f.tasks.Create(f.t.Context(), &taskapi.CreateTaskRequest{ID: name, Bundle: bundle, Rootfs: []*types.Mount{
		{Type: "erofs", Source: filepath.Join(snapshots, "1/layer.erofs"), Options: []string{"ro", "loop"}},
		{Type: "format/mkdir/overlay", Options: []string{"upperdir=" + f.upper(name), "workdir=/w", "lowerdir={{ mount 0 }}"}},
	}})
	return errgrpc.ToNative(err)
}

func (f *fixture) start(name string) {
	f.t.Helper()
	_, err := f.tasks.Start(f.t.Context(), &taskapi.StartRequest{ID: name})
	must(f.t, err)
}

func (f *fixture) wait(name string) uint32 {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	answer, err := f.tasks.Wait(ctx, &taskapi.WaitRequest{ID: name})
	must(f.t, err)
	return answer.GetExitStatus()
}

func (f *fixture) state() string {
	f.t.Helper()
	answer, err := f.SandboxStatus(f.t.Context(), &sandboxapi.SandboxStatusRequest{SandboxID: id})
	must(f.t, err)
	return answer.GetState()
}

func TestAContainersLife(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	if f.guest.Spec.Memory != 390<<20 || f.guest.Spec.UID < f.cfg.UIDBase || f.state() != stateReady {
		t.Fatalf("machine %+v, %s", f.guest.Spec, f.state())
	}
	must(t, f.container("c1", nil))
	if f.container("c1", nil) == nil {
		t.Error("it was created twice")
	}
	must(t, f.container("c2", nil))
	if got := f.guest.Attached(); len(got) != 3 {
		t.Errorf("one layer of two containers, and what each writes, is %v", got)
	}
	for _, name := range []string{"c1", "c2"} {
		if wanted := f.guest.Container(name).GetScratch(); !slices.Contains(f.guest.Attached(), wanted) {
			t.Errorf("the guest is to find the disk %q", wanted)
		}
		if _, err := os.Stat(filepath.Join(f.upper(name), disk.ScratchName)); err != nil {
			t.Errorf("containerd sees nothing of what %s writes: %v", name, err)
		}
	}
	f.start("c1")
	if _, err := f.tasks.Delete(t.Context(), &taskapi.DeleteRequest{ID: "c1"}); !errdefs.IsFailedPrecondition(errgrpc.ToNative(err)) {
		t.Errorf("deleting a running container: %v", err)
	}
	f.guest.Exit("c1", &guestv1.WaitResponse{ExitCode: 3<<8 | 5, OomKilled: true})
	if code := f.wait("c1"); code != 5 {
		t.Errorf("an exit code out of range became %d", code)
	}
	_, err := f.tasks.Kill(t.Context(), &taskapi.KillRequest{ID: "c1", Signal: 9})
	if !errdefs.IsNotFound(errgrpc.ToNative(err)) {
		t.Errorf("killing an exited container: %v", err)
	}
	for _, name := range []string{"c1", "c2"} {
		_, err := f.tasks.Delete(t.Context(), &taskapi.DeleteRequest{ID: name})
		must(t, err)
	}
	if got := f.guest.Attached(); len(got) != 0 {
		t.Errorf("disks %v are left", got)
	}
	for _, name := range []string{"c1", "c2"} {
		if entries, err := os.ReadDir(f.upper(name)); err != nil || len(entries) != 0 {
			t.Errorf("%v, %v are left of %s", entries, err, name)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	order := []string{"/tasks/create", "/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit"}
	if len(f.events) < len(order) || !slices.Equal(f.events[:len(order)], order) {
		t.Errorf("events %v", f.events)
	}
}

func TestAMachinesEndIsEverybodysEnd(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	must(t, f.container("c1", nil))
	f.start("c1")
	must(t, f.guest.Kill())
	if code := f.wait("c1"); code != 137 {
		t.Errorf("exit code %d", code)
	}
	answer, err := f.WaitSandbox(t.Context(), &sandboxapi.WaitSandboxRequest{})
	must(t, err)
	if answer.GetExitStatus() != 137 || f.state() != stateNotReady {
		t.Errorf("sandbox %v, %s", answer, f.state())
	}
	if _, err := f.tasks.Delete(t.Context(), &taskapi.DeleteRequest{ID: "c1"}); err != nil {
		t.Errorf("delete after the end: %v", err)
	}
	if err := f.container("c2", nil); !errdefs.IsUnavailable(err) {
		t.Errorf("a container of a dead machine: %v", err)
	}
}

func TestAMachineKilledForWantOfMemoryIsReportedAsSuch(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.groups = []string{filepath.Join(t.TempDir(), "memory")}
	pod := filepath.Join(f.groups[0], "kubepods/pod1")
	must(t, os.MkdirAll(pod, 0o755))
	must(t, f.create(func(p *criruntime.PodSandboxConfig) { p.Linux.CgroupParent = "/kubepods/pod1" }))
	_, err := f.StartSandbox(t.Context(), &sandboxapi.StartSandboxRequest{SandboxID: id})
	must(t, err)
	log := filepath.Join(f.cfg.KubeletDir, "pods/u1/containers/c1/0")
	must(t, os.WriteFile(log, nil, 0o600))
	must(t, f.container("c1", func(s *specs.Spec) {
		s.Mounts = []specs.Mount{{Type: "bind", Source: log, Destination: "/dev/termination-log", Options: []string{"rbind", "rw"}}}
	}))
	f.start("c1")
	for name, text := range map[string]string{
		"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "memory.max_usage_in_bytes": "536870912\n",
		"memory.limit_in_bytes": "671088640\n",
	} {
		must(t, os.WriteFile(filepath.Join(pod, "hyper-"+id, name), []byte(text), 0o600))
	}
	must(t, f.guest.Kill())
	if code := f.wait("c1"); code != 137 {
		t.Errorf("exit code %d", code)
	}
	_, err = f.WaitSandbox(t.Context(), &sandboxapi.WaitSandboxRequest{})
	must(t, err)
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "used 512 MiB of the 640 MiB") {
		t.Errorf("the container's last message is %q, %v", text, err)
	}
	// The agent reads this before containerd has the directory removed.
	noted, err := os.ReadFile(filepath.Join(f.cfg.VMDir, id, "out-of-memory.json"))
	if err != nil || string(noted) != `{"used":536870912,"allowed":671088640}` {
		t.Errorf("noted for the agent: %s, %v", noted, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	order := []string{"/tasks/create", "/tasks/start", "/tasks/oom"}
	if len(f.events) < len(order) || !slices.Equal(f.events[:len(order)], order) {
		t.Errorf("events %v", f.events)
	}
	must(t, os.RemoveAll(f.groups[0])) // a real cgroup's files go with it
}

func TestThePodsFilesAreReadOnlyWhereTheRootIs(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	for name, readOnly := range map[string]bool{"writable": false, "closed": true} {
		must(t, f.container(name, func(s *specs.Spec) { s.Root.Readonly = readOnly }))
		found := map[string]bool{}
		for _, mount := range f.guest.Container(name).GetMounts() {
			found[mount.GetDestination()] = mount.GetReadOnly()
		}
		want := map[string]bool{"/etc/hostname": readOnly, "/etc/resolv.conf": readOnly, "/dev/shm": false}
		if !maps.Equal(found, want) {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func TestStoppingAsksTheGuestAndLeavesNothing(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	_, err := f.StopSandbox(t.Context(), &sandboxapi.StopSandboxRequest{SandboxID: id})
	must(t, err)
	answer, err := f.WaitSandbox(t.Context(), &sandboxapi.WaitSandboxRequest{})
	must(t, err)
	if !f.guest.Called("Shutdown") || answer.GetExitStatus() != 0 {
		t.Errorf("asked %v, exit %d", f.guest.Called("Shutdown"), answer.GetExitStatus())
	}
	must(t, f.Close(t.Context()))
	f.nothingLeft()
}

func TestAGuestThatNeverSpeaksFailsTheStart(t *testing.T) {
	guest := fakeguest.New()
	guest.Mute = true
	f := newFixture(t, guest)
	must(t, f.create(nil))
	time.AfterFunc(50*time.Millisecond, func() { _ = guest.Kill() })
	if _, err := f.StartSandbox(t.Context(), &sandboxapi.StartSandboxRequest{}); err == nil || !strings.Contains(err.Error(), "does not come up") {
		t.Fatalf("got %v", err)
	}
	if f.state() != stateNotReady {
		t.Error("it is ready")
	}
}

func TestAContainerThatWasNeverStartedCanBeKilled(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	must(t, f.container("c1", nil))
	_, err := f.tasks.Kill(t.Context(), &taskapi.KillRequest{ID: "c1", Signal: 9})
	must(t, err)
	if code := f.wait("c1"); code != 137 {
		t.Errorf("exit code %d", code)
	}
}

func TestTheTerminationLogComesBackAtExit(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	path := filepath.Join(f.cfg.KubeletDir, "pods/u1/containers/c1/0")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, f.container("c1", func(s *specs.Spec) {
		s.Mounts = []specs.Mount{{Type: "bind", Source: path, Destination: "/dev/termination-log", Options: []string{"rbind", "rw"}}}
	}))
	for volume := range f.guest.Volumes {
		f.guest.Files[volume] = []byte("last words")
	}
	f.start("c1")
	f.guest.Exit("c1", &guestv1.WaitResponse{})
	f.wait("c1")
	if text, err := os.ReadFile(path); err != nil || string(text) != "last words" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestARefusedContainerLeavesNothingInTheMachine(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	err := f.container("c1", func(s *specs.Spec) {
		s.Mounts = []specs.Mount{{Type: "bind", Source: "/etc", Destination: "/x"}}
	})
	if !errdefs.IsInvalidArgument(err) || len(f.guest.Attached()) != 0 || f.guest.Container("c1") != nil {
		t.Errorf("%v, disks %v", err, f.guest.Attached())
	}
	must(t, f.container("c1", nil)) // its name is free
}

func TestAPodThatWantsTheHostIsRefused(t *testing.T) {
	for name, change := range map[string]func(*criruntime.PodSandboxConfig){
		"another pod's record": func(p *criruntime.PodSandboxConfig) { p.Metadata.Uid = "u2" },
		"hostPID": func(p *criruntime.PodSandboxConfig) {
			p.Linux.SecurityContext = &criruntime.LinuxSandboxSecurityContext{
				NamespaceOptions: &criruntime.NamespaceOption{Pid: criruntime.NamespaceMode_NODE}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fakeguest.New())
			if err := f.create(change); err == nil {
				t.Fatal("it was accepted")
			}
			must(t, f.Close(t.Context()))
			if _, err := os.Stat(filepath.Join(f.cfg.VMDir, id)); err == nil {
				t.Error("it left a directory")
			}
		})
	}
}

func TestAMachineThatDoesNotStartLeavesNothing(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	found, err := f.host()
	must(t, err)
	found.OpenTAP = func(string) (*os.File, error) { return nil, os.ErrNotExist }
	f.host = func() (sandbox.Host, error) { return found, nil }
	if err := f.create(nil); err == nil {
		t.Fatal("it was started without a TAP")
	}
	must(t, f.Close(t.Context()))
	f.nothingLeft()
}
