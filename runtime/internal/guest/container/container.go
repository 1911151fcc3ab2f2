// SPDX-License-Identifier: Apache-2.0

// Package container runs the pod's containers with crun. It builds their root
// file systems from layers and scratch disks, and follows their processes.
package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/guest/reaper"
	"hypernetes.org/runtime/internal/guest/scratch"
	"hypernetes.org/runtime/internal/guest/volume"
	"hypernetes.org/runtime/internal/ident"
)

// Dirs are the directories of a Set.
type Dirs struct {
	State   string // bundles, layers, crun's state: memory
	Scratch string // mount points of the writable layers
	Shared  string // the pod's /dev/shm
	Cgroup  string // mount point of cgroup v2
}

// Set is the pod's containers.
type Set struct {
	dirs    Dirs
	reaper  *reaper.Reaper
	crun    *crun
	volumes *volume.Set
	scratch *scratch.Disks
	layers  *layers
	// netfilter loads what a container expects that may change the network.
	netfilter func() error

	mu         sync.Mutex
	containers map[string]*container
	consoles   int
	pidHolder  int // keeps the pod's shared pid namespace; 0 while there is none
}

type container struct {
	id     string
	bundle string
	serial []string
	ownPid bool
	init   *process
	oom    bool // set before init is stopped
	// starved says that it was ended because it kept itself or others from running.
	starved atomic.Bool

	mu    sync.Mutex // guards execs
	execs map[string]*execution
}

type execution struct {
	*process
	dir string
}

// NewSet prepares the directories. A container that may change the pod's network is
// created once netfilter has returned.
func NewSet(dirs Dirs, r *reaper.Reaper, volumes *volume.Set, disks *scratch.Disks, netfilter func() error) (*Set, error) {
	set := &Set{
		netfilter:  netfilter,
		dirs:       dirs,
		reaper:     r,
		crun:       &crun{reaper: r, root: filepath.Join(dirs.State, "crun")},
		volumes:    volumes,
		scratch:    disks,
		layers:     newLayers(filepath.Join(dirs.State, "l")),
		containers: map[string]*container{},
	}
	for _, dir := range []string{set.layers.dir, set.bundles(), set.consoleDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("prepare the runtime's directories: %w", err)
		}
	}
	return set, nil
}

func (s *Set) bundles() string           { return filepath.Join(s.dirs.State, "b") }
func (s *Set) consoleDir() string        { return filepath.Join(s.dirs.State, "console") }
func (s *Set) writable(id string) string { return filepath.Join(s.dirs.Scratch, id) }

// Create prepares a container, see the Guest service.
func (s *Set) Create(request *guestv1.CreateContainerRequest) (err error) {
	id := request.GetId()
	if !ident.Valid(id) || len(request.GetLayers()) == 0 {
		return fmt.Errorf("%w container id, or no layers", ErrInvalid)
	}
	place, err := s.place(request)
	if err != nil {
		return err
	}
	made := &container{id: id, bundle: filepath.Join(s.bundles(), id), serial: request.GetLayers(),
		ownPid: place.pidPath == "", execs: map[string]*execution{}}
	place.rootfs = filepath.Join(made.bundle, "rootfs")
	place.cgroup = "/pod/" + id
	spec, err := prepare(request.GetSpec(), place)
	if err != nil {
		return err
	}
	spec.Process.Terminal = request.GetTerminal()
	if changesNetwork(spec.Process) {
		// The kernel cannot load them itself: the guest has no modprobe.
		if err := s.netfilter(); err != nil {
			return err
		}
	}
	// The directory's name is the lock on the ID.
	if err := os.Mkdir(made.bundle, 0o700); errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, id)
	} else if err != nil {
		return fmt.Errorf("create the bundle: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(made.bundle))
		}
	}()
	lower, err := s.layers.take(made.serial)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.layers.drop(made.serial)
		}
	}()
	if err := s.scratch.Mount(request.GetScratch(), s.writable(id)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.scratch.Unmount(s.writable(id)))
		}
	}()
	if err := mountOverlay(place.rootfs, s.writable(id), s.layers.dir, lower); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Unmount(place.rootfs, unix.MNT_DETACH))
		}
	}()
	completeHome(spec.Process, passwdOf(place))
	if err := writeJSON(filepath.Join(made.bundle, "config.json"), spec); err != nil {
		return err
	}
	io, err := newStdio(request.GetTerminal(), [3]bool{request.GetStdin(), request.GetStdout(), request.GetStderr()})
	if err != nil {
		return err
	}
	made.init = newProcess(io, spec.Process)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.containers[id] = made
	return nil
}

func (s *Set) place(request *guestv1.CreateContainerRequest) (placement, error) {
	place := placement{shared: s.dirs.Shared}
	for _, m := range request.GetMounts() {
		if !filepath.IsAbs(m.GetDestination()) {
			return place, fmt.Errorf("%w: mount destination %q", ErrInvalid, m.GetDestination())
		}
		source, err := s.volumes.Source(m.GetVolumeId(), m.GetSubPath(), m.GetCreateSubPath())
		if err != nil {
			return place, err
		}
		place.binds = append(place.binds, bind{source, m.GetDestination(), m.GetReadOnly(), m.GetPropagation()})
	}
	var err error
	switch request.GetPidNamespace() {
	case guestv1.PidNamespace_POD:
		place.pidPath, err = s.podPidNamespace()
	case guestv1.PidNamespace_TARGET:
		place.pidPath, err = s.pidNamespaceOf(request.GetPidTarget())
	}
	return place, err
}

// Exec registers a process in a running container.
func (s *Set) Exec(request *guestv1.ExecRequest) error {
	if !ident.Valid(request.GetExecId()) {
		return fmt.Errorf("%w exec id", ErrInvalid)
	}
	in, err := s.find(request.GetId())
	if err != nil {
		return err
	}
	state, pid, _ := in.init.now()
	if state != running {
		return errState("the container is not running")
	}
	spec, err := execProcess(request.GetProcess(), request.GetTerminal())
	if err != nil {
		return err
	}
	completeHome(spec, passwdIn(pid))
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, ok := in.execs[request.GetExecId()]; ok {
		return fmt.Errorf("%w: %s", ErrExists, request.GetExecId())
	}
	made := &execution{dir: filepath.Join(in.bundle, "exec-"+request.GetExecId())}
	if err := os.Mkdir(made.dir, 0o700); err != nil {
		return fmt.Errorf("prepare the exec: %w", err)
	}
	err = writeJSON(filepath.Join(made.dir, "process.json"), spec)
	if err == nil {
		var io *stdio
		io, err = newStdio(request.GetTerminal(), [3]bool{request.GetStdin(), request.GetStdout(), request.GetStderr()})
		made.process = newProcess(io, spec)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(made.dir))
	}
	in.execs[request.GetExecId()] = made
	return nil
}

// Start runs a created process and returns its PID.
func (s *Set) Start(id, exec string) (int, error) {
	in, p, err := s.process(id, exec)
	if err != nil {
		return 0, err
	}
	if err := p.begin(); err != nil {
		return 0, err
	}
	var pid int
	ended := func() {}
	if exec == "" {
		pid, err = s.crun.run(id, in.bundle, p, s.console())
		ended = func() { s.initEnded(in) }
	} else {
		dir := filepath.Join(in.bundle, "exec-"+exec)
		pid, err = s.crun.exec(id, dir, filepath.Join(dir, "process.json"), p, s.console())
	}
	if err != nil {
		// Before the streams learn of the exit: crun's own messages are not output
		// of the container. The error reports them to the host.
		p.io.close()
		p.stop(reaper.Exit{Code: 255, At: time.Now()})
		return 0, fmt.Errorf("start: %w", err)
	}
	p.run(s.reaper, pid, ended)
	if exec == "" {
		go s.guard(in)
	}
	return pid, nil
}

// initEnded terminates a container whose first process has exited. In its own PID
// namespace the kernel has already killed the rest.
func (s *Set) initEnded(in *container) {
	cgroup := s.cgroup(in.id)
	if !in.ownPid {
		// The cgroup exists until Delete, so this can only fail on a dead machine.
		_ = os.WriteFile(filepath.Join(cgroup, "cgroup.kill"), []byte("1"), 0)
	}
	in.oom = in.starved.Load() || readKeyed(filepath.Join(cgroup, "memory.events"))["oom_kill"] > 0
}

// Wait blocks until a process has exited or ctx ends.
func (s *Set) Wait(ctx context.Context, id, exec string) (*guestv1.WaitResponse, error) {
	in, p, err := s.process(id, exec)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.exited:
		return in.report(p), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *container) report(p *process) *guestv1.WaitResponse {
	_, _, exit := p.now()
	return &guestv1.WaitResponse{
		ExitCode:         uint32(exit.Code),
		ExitedAtUnixNano: exit.At.UnixNano(),
		OomKilled:        p == c.init && c.oom,
	}
}

// Signal sends a signal to one process, or to all of the container.
func (s *Set) Signal(id, exec string, sig uint32, all bool) error {
	if sig > 64 {
		return fmt.Errorf("%w signal", ErrInvalid)
	}
	in, p, err := s.process(id, exec)
	if err != nil {
		return err
	}
	state, pid, _ := p.now()
	if state != running {
		return fmt.Errorf("%w: the process is not running", ErrNotFound)
	}
	if err := s.reaper.Signal(pid, syscall.Signal(sig)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if !all {
		return nil
	}
	pids, err := s.pids(in)
	if err != nil {
		return err
	}
	for _, other := range pids {
		if int(other) != pid {
			// It may have exited since it was listed.
			_ = unix.Kill(int(other), syscall.Signal(sig))
		}
	}
	return nil
}

// Delete forgets an exited process, and with the first one the whole container.
func (s *Set) Delete(id, exec string) (*guestv1.DeleteResponse, error) {
	in, p, err := s.process(id, exec)
	if err != nil {
		return nil, err
	}
	state, pid, _ := p.now()
	if state == starting || state == running {
		return nil, errState("the process is running")
	}
	response := &guestv1.DeleteResponse{Exit: in.report(p), Pid: uint32(pid)}
	p.io.close()
	if exec != "" {
		in.mu.Lock()
		delete(in.execs, exec)
		in.mu.Unlock()
		return response, os.RemoveAll(filepath.Join(in.bundle, "exec-"+exec))
	}
	s.mu.Lock()
	delete(s.containers, id)
	s.mu.Unlock()
	response.Released, err = s.remove(in)
	return response, err
}

func (s *Set) remove(in *container) ([]string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range in.execs {
		e.io.close()
	}
	failed := errors.Join(s.removeCgroup(in.id), s.crun.forget(in.id))
	rootfs := filepath.Join(in.bundle, "rootfs")
	failed = errors.Join(failed, unix.Unmount(rootfs, unix.MNT_DETACH))
	released := s.layers.drop(in.serial)
	// What was not written to the disk yet need not be.
	failed = errors.Join(failed, os.RemoveAll(filepath.Join(s.writable(in.id), upperName)))
	return released, errors.Join(failed, s.scratch.Unmount(s.writable(in.id)), os.RemoveAll(in.bundle))
}

// Shutdown terminates all containers: SIGTERM, and after grace SIGKILL.
func (s *Set) Shutdown(grace time.Duration) {
	s.mu.Lock()
	var left []*container
	for _, c := range s.containers {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		timer := time.NewTimer(grace)
		for _, c := range left {
			if state, pid, _ := c.init.now(); state == running {
				_ = s.reaper.Signal(pid, sig) // otherwise it has just exited
			}
		}
		for _, c := range left {
			if state, _, _ := c.init.now(); state != running {
				continue
			}
			select {
			case <-c.init.exited:
			case <-timer.C:
				timer.Reset(0)
			}
		}
		timer.Stop()
	}
}

func (s *Set) find(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.containers[id]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	return found, nil
}

func (s *Set) process(id, exec string) (*container, *process, error) {
	in, err := s.find(id)
	if err != nil || exec == "" {
		return in, initOf(in), err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	found, ok := in.execs[exec]
	if !ok {
		return nil, nil, fmt.Errorf("%w: %q in %q", ErrNotFound, exec, id)
	}
	return in, found.process, nil
}

func initOf(in *container) *process {
	if in == nil {
		return nil
	}
	return in.init
}

// console returns a socket's name for one terminal. It does not contain IDs: socket names hold 107 bytes.
func (s *Set) console() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consoles++
	return filepath.Join(s.consoleDir(), fmt.Sprint(s.consoles))
}

func writeJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
