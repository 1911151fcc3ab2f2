// SPDX-License-Identifier: Apache-2.0

// Package fakeguest stands for machine and guest in unit tests: no emulator, a
// real channel, and processes that do what the test says.
package fakeguest

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/vmm"
)

// Guest is a machine with its guest. The zero value is not ready; see New.
type Guest struct {
	Spec  vmm.Spec
	Disks []string // serials of hot-plugged disks
	Mute  bool     // never says hello
	// Silent makes the monitor start and never answer: Start ends with its context.
	Silent bool
	// Clones counts the machines that were started from a template. They serve once they
	// are forked, unless BrokenClones, which then end without a word.
	Clones       int
	BrokenClones bool
	// StartBounded says whether Start had a deadline.
	StartBounded bool
	// ProbeCode is the exit code of probes. HoldProbes lets them run until they are canceled.
	ProbeCode  uint32
	HoldProbes bool
	// IgnoresSignals makes it answer Signal without terminating a process.
	IgnoresSignals bool

	mu        sync.Mutex
	processes map[string]*Process
	Calls     []string // names of the calls, in order
	Volumes   map[string]*guestv1.CreateVolumeRequest
	Files     map[string][]byte // what GetFile answers, by volume
	services  *guestv1.Services
	silent    map[string]bool // calls that get no answer
	deaf      atomic.Bool     // reads no more calls
	conn      net.Conn
	rpc       net.Conn // the guest's end of the stream of calls
	done      chan struct{}
	once      sync.Once
	work      sync.WaitGroup
}

// Process is one process of the fake guest.
type Process struct {
	exit    chan struct{}
	answer  *guestv1.WaitResponse
	Request *guestv1.CreateContainerRequest
}

// New makes a driver's next machine.
func New() *Guest {
	return &Guest{processes: map[string]*Process{}, Volumes: map[string]*guestv1.CreateVolumeRequest{},
		Files: map[string][]byte{}, silent: map[string]bool{}, done: make(chan struct{})}
}

// Services is the table it was last given; nil: none.
func (g *Guest) Services() *guestv1.Services {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.services
}

func (g *Guest) setServices(table *guestv1.Services) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.services = table
}

// Start implements vmm.Driver.
func (g *Guest) Start(ctx context.Context, spec vmm.Spec) (vmm.Machine, error) {
	g.Spec = spec
	_, g.StartBounded = ctx.Deadline()
	if g.Silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	host, guest := net.Pipe()
	if spec.Incoming != nil {
		g.Clones++
		if g.BrokenClones {
			return newBrokenClone(host, guest), nil
		}
		g.work.Go(func() {
			if _, err := channel.ReadFork(guest); err == nil {
				g.serve(guest)
			}
		})
	}
	g.conn = host
	g.work.Go(func() { <-g.done; _ = guest.Close() })
	if !g.Mute && spec.Incoming == nil {
		g.work.Go(func() { g.serve(guest) })
	}
	return g, nil
}

func (g *Guest) serve(conn net.Conn) {
	server, err := ttrpc.NewServer()
	if err != nil {
		panic(err) // only options can fail
	}
	guestv1.RegisterGuestService(server, rpc{g})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls := make(chan net.Conn, 1)
	session, err := channel.NewGuest(conn, handler{g, calls})
	if err != nil {
		return
	}
	g.work.Go(func() { _ = server.Serve(ctx, &listener{calls, g.done}) })
	_ = session.Serve() // until the connection ends
	_ = server.Close()
}

type handler struct {
	guest *Guest
	rpc   chan net.Conn
}

// Accept implements channel.Handler: output streams end at once.
func (h handler) Accept(header channel.Header) (channel.Status, func(net.Conn)) {
	if header.Kind == channel.KindRPC {
		return channel.StatusAccepted, func(conn net.Conn) {
			h.guest.mu.Lock()
			h.guest.rpc = conn
			h.guest.mu.Unlock()
			h.rpc <- &callConn{conn, h.guest}
		}
	}
	return channel.StatusAccepted, func(conn net.Conn) {
		if header.FD > 0 {
			_, _ = conn.Write([]byte("hello\n"))
		}
		_ = conn.Close()
	}
}

// callConn carries calls until its guest is deaf: from then on nothing is read, and
// the host's send window is exhausted.
type callConn struct {
	net.Conn
	guest *Guest
}

func (c *callConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.guest.deaf.Load() {
		<-c.guest.done
		return 0, net.ErrClosed
	}
	return n, err
}

type listener struct {
	rpc  chan net.Conn
	done chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.rpc:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { return nil }
func (l *listener) Addr() net.Addr { return &net.UnixAddr{} }

// PID implements vmm.Machine.
func (g *Guest) PID() int { return os.Getpid() }

// Channel implements vmm.Machine.
func (g *Guest) Channel() net.Conn { return g.conn }

// AttachDisk implements vmm.Machine.
func (g *Guest) AttachDisk(_ context.Context, disk vmm.Disk) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Disks = append(g.Disks, disk.Serial)
	return nil
}

// DetachDisk implements vmm.Machine.
func (g *Guest) DetachDisk(_ context.Context, serial string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Disks = slices.DeleteFunc(g.Disks, func(each string) bool { return each == serial })
	return nil
}

// Done implements vmm.Machine.
func (g *Guest) Done() <-chan struct{} { return g.done }

// Wait implements vmm.Machine.
func (g *Guest) Wait(ctx context.Context) (vmm.Exit, error) {
	select {
	case <-g.done:
		return vmm.Exit{}, nil
	case <-ctx.Done():
		return vmm.Exit{}, ctx.Err()
	}
}

// Kill implements vmm.Machine, and is how a test lets the machine die.
func (g *Guest) Kill() error {
	g.once.Do(func() { close(g.done) })
	return nil
}

// Attached lists the hot-plugged disks.
func (g *Guest) Attached() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.Disks)
}

// Called reports whether a call was made.
func (g *Guest) Called(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.Calls, name)
}

// Made lists the calls so far.
func (g *Guest) Made() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.Calls)
}

// Exit terminates a process as a test asks.
func (g *Guest) Exit(id string, answer *guestv1.WaitResponse) {
	g.mu.Lock()
	process := g.processes[id]
	g.mu.Unlock()
	process.answer = answer
	close(process.exit)
}

// StopReading lets the guest read no call from now on; its channel stays up.
func (g *Guest) StopReading() { g.deaf.Store(true) }

// Say writes to the stream of calls, past the server of calls.
func (g *Guest) Say(wire []byte) error {
	g.mu.Lock()
	conn := g.rpc
	g.mu.Unlock()
	_, err := conn.Write(wire)
	return err
}

// Silence sets whether calls of a name get no answer until the machine is gone.
func (g *Guest) Silence(call string, silent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent[call] = silent
}

// hear notes a call, and does not return from one that gets no answer.
func (g *Guest) hear(call string) {
	g.mu.Lock()
	g.Calls = append(g.Calls, call)
	silent := g.silent[call]
	g.mu.Unlock()
	if silent {
		<-g.done
	}
}

func (g *Guest) note(call string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Calls = append(g.Calls, call)
}

func (g *Guest) process(request *guestv1.ProcessRequest) (*Process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if process := g.processes[request.GetId()+request.GetExecId()]; process != nil {
		return process, nil
	}
	return nil, errgrpc.ToGRPC(errdefs.ErrNotFound)
}

func (g *Guest) add(id string, request *guestv1.CreateContainerRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.processes[id] = &Process{exit: make(chan struct{}), Request: request}
}

// Container returns what was asked for a container.
func (g *Guest) Container(id string) *guestv1.CreateContainerRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	if process := g.processes[id]; process != nil {
		return process.Request
	}
	return nil
}

// killed is the exit of a process that got SIGKILL.
func killed() *guestv1.WaitResponse {
	return &guestv1.WaitResponse{ExitCode: 137, ExitedAtUnixNano: time.Now().UnixNano()}
}
