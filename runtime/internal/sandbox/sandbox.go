// SPDX-License-Identifier: Apache-2.0

// Package sandbox is one pod's machine: from the request for it until its last trace
// is removed. Tasks live in package task.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"golang.org/x/sys/unix"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/forward"
	"hypernetes.org/runtime/internal/mirror"
	"hypernetes.org/runtime/internal/ocispec"
	"hypernetes.org/runtime/internal/record"
	"hypernetes.org/runtime/internal/size"
	"hypernetes.org/runtime/internal/template"
	"hypernetes.org/runtime/internal/vmm"
	"hypernetes.org/runtime/internal/vmstate"
)

// Time limits. Software emulation on a loaded machine is slow; each is several
// times what was measured there.
const (
	startTimeout    = 30 * time.Second
	bootTimeout     = 90 * time.Second
	callTimeout     = 60 * time.Second
	stopGrace       = 2 * time.Second
	killTimeout     = 10 * time.Second
	cgroupTimeout   = 5 * time.Second
	exitCodeKilled  = 137
	exitCodeStopped = 0
)

// Exit is how and when a sandbox or process terminated.
type Exit struct {
	Code uint32
	At   time.Time
}

// Request is what containerd asks for.
type Request struct {
	ID        string
	NetnsPath string
	Pod       *criruntime.PodSandboxConfig
}

// Host is what a sandbox needs of the node; tests replace it.
type Host struct {
	Config config.Config
	Driver vmm.Driver
	// Accelerator says how machines run on this node, and the frequency of its
	// time stamp counter in kHz (0: unknown). A trial may run as uid.
	Accelerator func(ctx context.Context, cfg config.Config, uid uint32) (name string, tscKHz int, err error)
	OpenTAP     func(name string) (*os.File, error)
	// Template asks the node's keeper at a socket; nil: there is none. Its result is
	// nil if the keeper has no such template.
	Template    func(ctx context.Context, socket string, request template.Request) (*template.Template, error)
	Hierarchies func() ([]string, error)
	// Forward takes over the ports of a pod's network namespace on the host; nil: it has none.
	Forward func(netns string) (*forward.Listener, error)
	// AdjustOOM sets a process's oom_score_adj.
	AdjustOOM func(pid, score int) error
	Socket    string // the file at which containerd reaches this process
}

// Sandbox is a pod's machine. Its life goes one way: created (the monitor
// runs), ready (the guest answers), exited.
type Sandbox struct {
	host    Host
	id      string
	pod     *criruntime.PodSandboxConfig
	record  record.Record
	groups  groups
	uid     *vmstate.UID
	size    size.Machine
	machine vmm.Machine
	created time.Time

	forwards   *forward.Listener // nil if the node cannot forward ports
	diskErrors diskErrors
	oomScore   oomScore
	services   *services

	// live ends when the machine is gone or is to go; all work for it hangs on it.
	live context.Context
	kill context.CancelCauseFunc

	booted  chan struct{} // closed when channel and guest, or fault, are set
	channel *channel.Host
	guest   guestv1.GuestService
	fault   error

	ended  chan struct{} // closed when memory is set: the monitor is gone
	memory cgroup.Memory // what the monitor's cgroup counted, once it ended

	exited chan struct{} // closed when exit is set and the host side is cleaned
	exit   Exit
	stop   sync.Once
	work   sync.WaitGroup // what boot started
	wanted chan struct{}  // closed when the end was asked for

	mu      sync.Mutex
	disks   map[string]*layerDisk
	scratch map[string]scratchDisk // by serial
	volumes map[string]*volumeState
}

// Create starts a pod's machine and returns while it boots.
func Create(ctx context.Context, host Host, request Request) (*Sandbox, error) {
	if err := check(request); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	found, err := record.Load(host.Config.RecordsDir, request.ID)
	if err != nil {
		return nil, err
	}
	if uid := request.Pod.GetMetadata().GetUid(); found.PodUID != uid {
		return nil, fmt.Errorf("sandbox record %s is of pod %q, not %q", request.ID, found.PodUID, uid)
	}
	s := &Sandbox{
		host: host, id: request.ID, pod: request.Pod, record: found, created: time.Now(),
		booted: make(chan struct{}), ended: make(chan struct{}), exited: make(chan struct{}), wanted: make(chan struct{}),
		disks: map[string]*layerDisk{}, scratch: map[string]scratchDisk{}, volumes: map[string]*volumeState{},
	}
	if s.services, err = s.newServices(); err != nil {
		return nil, err
	}
	s.live, s.kill = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := s.launch(ctx, request.NetnsPath); err != nil {
		s.kill(err)
		// The directory stays: it also records this process, which continues.
		return nil, errors.Join(err, s.release())
	}
	go s.boot()
	go s.watch()
	return s, nil
}

// check refuses a pod that wants to be part of the host. Admission does so
// before; this is for what passes it by.
func check(request Request) error {
	if request.Pod == nil {
		return errors.New("the request has no PodSandboxConfig")
	}
	options := request.Pod.GetLinux().GetSecurityContext().GetNamespaceOptions()
	switch {
	case request.NetnsPath == "" || options.GetNetwork() == criruntime.NamespaceMode_NODE:
		return errors.New("hostNetwork is refused: a pod's machine has a network of its own")
	case options.GetPid() == criruntime.NamespaceMode_NODE:
		return errors.New("hostPID is refused: a pod's machine has processes of its own")
	case options.GetIpc() == criruntime.NamespaceMode_NODE:
		return errors.New("hostIPC is refused: a pod's machine has a memory of its own")
	case options.GetUsernsOptions().GetMode() == criruntime.NamespaceMode_POD && options.GetUsernsOptions() != nil:
		return errors.New("user namespaces (hostUsers: false) are not supported: the pod has a machine of its own")
	}
	return nil
}

// ID is the sandbox's id.
func (s *Sandbox) ID() string { return s.id }

// Pod is the configuration the sandbox was made with.
func (s *Sandbox) Pod() *criruntime.PodSandboxConfig { return s.pod }

// Address is the pod's own, the first if it has several.
func (s *Sandbox) Address() string {
	if len(s.record.Addresses) == 0 {
		return ""
	}
	return s.record.Addresses[0].Addr().String()
}

// CreatedAt is when the sandbox was made.
func (s *Sandbox) CreatedAt() time.Time { return s.created }

// Pids are the process IDs reported to containerd. They differ, so that a
// specification's namespace path distinguishes "the pod's" from "a container's".
func (s *Sandbox) Pids() ocispec.Pids {
	return ocispec.Pids{Sandbox: os.Getpid(), Task: s.machine.PID()}
}

// Mounts classifies the bind mounts of this pod's containers.
func (s *Sandbox) Mounts() (mirror.Pod, error) {
	return podMounts(s.host.Config, s.id, s.record.PodUID)
}

// Config is the node's settings as the sandbox found them.
func (s *Sandbox) Config() config.Config { return s.host.Config }

// Live ends with the machine, or when the machine is asked to terminate.
func (s *Sandbox) Live() context.Context { return s.live }

// Exited is closed when the machine is gone.
func (s *Sandbox) Exited() <-chan struct{} { return s.exited }

// Exit returns how the machine terminated; valid once Exited is closed.
func (s *Sandbox) Exit() Exit { return s.exit }

// OutOfMemory says what happened if it was the node's kernel that ended the
// machine, for want of memory; else nothing. It waits for the machine's end.
func (s *Sandbox) OutOfMemory() string {
	<-s.ended
	if s.memory.Kills == 0 {
		return ""
	}
	return fmt.Sprintf("The node ended the pod's virtual machine for want of memory (OOMKilled): guest and emulator used %d MiB"+
		" of the %d MiB that the containers' memory and the RuntimeClass's overhead allow.",
		s.memory.Peak/config.MiB, s.memory.Limit/config.MiB)
}

// Ready says whether the machine runs and its guest answers.
func (s *Sandbox) Ready() bool {
	select {
	case <-s.booted:
	default:
		return false
	}
	return s.fault == nil && s.live.Err() == nil
}

// WaitReady returns when the guest is configured, or why it never will be.
func (s *Sandbox) WaitReady(ctx context.Context) error {
	select {
	case <-s.booted:
		return s.fault
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Guest is the connection to a ready machine's guest.
func (s *Sandbox) Guest() (guestv1.GuestService, error) {
	if !s.Ready() {
		return nil, fmt.Errorf("the pod's machine is not running: %w", errdefs.ErrUnavailable)
	}
	return s.guest, nil
}

// IO opens a standard stream of a process the guest knows.
func (s *Sandbox) IO(ctx context.Context, container, exec string, fd uint8) (net.Conn, error) {
	if !s.Ready() {
		return nil, fmt.Errorf("the pod's machine is not running: %w", errdefs.ErrUnavailable)
	}
	return s.channel.IO(ctx, container, exec, fd)
}

// Call bounds one call to the guest: by time and by the machine's life.
func (s *Sandbox) Call(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	stop := context.AfterFunc(s.live, cancel)
	return ctx, func() { stop(); cancel() }
}

// Fail ends the machine at once: what its guest does cannot be borne.
func (s *Sandbox) Fail(reason error) { s.kill(reason) }

// Stop ends the machine: by the guest within grace, then by force. It returns
// when the machine is gone.
func (s *Sandbox) Stop(ctx context.Context, grace time.Duration) error {
	s.stop.Do(func() {
		close(s.wanted)
		go s.end(min(grace, stopGrace))
	})
	select {
	case <-s.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the pod's machine: %w", ctx.Err())
	}
}

// end owns the way from "stop" to "gone"; watch does what comes after.
func (s *Sandbox) end(grace time.Duration) {
	if guest, err := s.Guest(); err == nil && grace > 0 {
		ctx, cancel := context.WithTimeout(s.live, grace)
		defer cancel()
		// The answer may be cut off by the power going, or never come (see
		// heedContext); the timer decides.
		_, _ = guest.Shutdown(ctx, &guestv1.ShutdownRequest{GraceMilliseconds: uint32(grace.Milliseconds() / 2)})
		select {
		case <-s.machine.Done():
		case <-ctx.Done():
		}
	}
	s.kill(errors.New("the sandbox was stopped"))
}

// watch ends the machine when its life is over and cleans up after it,
// whatever ended it first: the guest, the channel, an order, a crash.
func (s *Sandbox) watch() {
	select {
	case <-s.machine.Done():
	case <-s.live.Done():
	}
	s.kill(errors.New("the pod's machine is gone"))
	if err := s.machine.Kill(); err != nil {
		log.L.WithError(err).Error("kill the pod's machine")
	}
	select {
	case <-s.machine.Done():
	case <-time.After(killTimeout):
		log.L.Error("the pod's machine does not end") // its directory stays, for shim.Manager
	}
	s.memory = cgroup.ReadMemory(s.groups.machine) // they are removed below
	if s.memory.Kills > 0 {
		// Before containerd learns of the end: it then has the pod's network removed.
		if err := vmstate.SaveOutOfMemory(s.host.Config.VMDir, s.id, s.memory); err != nil {
			log.L.WithError(err).Error("record that the machine was out of memory")
		}
	}
	close(s.ended)
	<-s.booted // boot ends with live; it owns channel and guest until then
	if s.channel != nil {
		_ = s.channel.Close() // the peer is dead
	}
	s.work.Wait()
	if err := s.release(); err != nil {
		log.L.WithError(err).Error("clean up after the pod's machine")
	}
	s.exit = Exit{Code: exitCodeKilled, At: time.Now()}
	select {
	case <-s.wanted:
		s.exit.Code = exitCodeStopped
	default:
		log.L.WithError(context.Cause(s.live)).Warn("the pod's machine ended unasked")
		if reason := s.OutOfMemory(); reason != "" {
			log.L.Error(reason)
		}
	}
	close(s.exited)
}

// release releases what the machine had on the host. Its directory stays: it shows
// others that there is something to clean up.
func (s *Sandbox) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), cgroupTimeout)
	defer cancel()
	s.closeScratch()
	faults := []error{s.groups.remove(ctx)}
	if s.uid != nil {
		faults = append(faults, s.uid.Release())
	}
	return errors.Join(faults...)
}

// node is what a machine may have at most.
func node() size.Node {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return size.Node{CPUs: runtime.NumCPU()}
	}
	return size.Node{CPUs: runtime.NumCPU(), Memory: int64(info.Totalram) * int64(info.Unit)}
}
