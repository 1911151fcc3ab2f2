// SPDX-License-Identifier: Apache-2.0

// Package qemu is the vmm.Driver for QEMU: a q35 machine with virtio-scsi disks,
// started without privileges and driven over QMP. Disks, tap and sockets are
// passed as open files, so that the unprivileged user opens nothing itself.
package qemu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/vmm"
)

// Driver starts QEMU. The zero value is ready for use.
type Driver struct{}

// New returns the driver.
func New() *Driver { return &Driver{} }

type machine struct {
	process *launched
	monitor *monitor
	channel net.Conn
	done    chan struct{}
	plugged int64 // bytes of memory beside what was there at the start

	mu   sync.Mutex // guards what follows
	exit vmm.Exit
	sets map[string]int // fdset of each disk by serial; its unit is one less
}

// Start starts a machine and returns as soon as QEMU runs; the guest sends its
// hello on the channel later. ctx bounds only the start.
func (d *Driver) Start(ctx context.Context, spec vmm.Spec) (vmm.Machine, error) {
	if err := validate(spec); err != nil {
		return nil, fmt.Errorf("machine: %w", err)
	}
	m, err := start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start a machine: %w", err)
	}
	return m, nil
}

func start(ctx context.Context, spec vmm.Spec) (_ *machine, err error) {
	var theirs handed
	defer theirs.close()
	stderr := spec.Stderr
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	if stderr == nil {
		stderr = null
	}
	theirs.files = []*os.File{null, null, stderr}
	channel, channelFD, err := theirs.socket()
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, channel)
	qmp, qmpFD, err := theirs.socket()
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, qmp)
	fds := descriptors{channel: channelFD, monitor: qmpFD, tap: -1, memory: -1}
	if spec.Backing != nil {
		fds.memory = theirs.lend(spec.Backing.File)
	}
	later := spec.Disks
	if spec.Incoming == nil {
		later = nil
	} else {
		// The template had none.
		spec.Disks = nil
	}
	if fds.root, err = theirs.disk(vmm.Disk{Path: filepath.Join(spec.GuestDir, "root.erofs"), ReadOnly: true}); err != nil {
		return nil, err
	}
	sets := map[string]int{}
	for i, disk := range spec.Disks {
		fd, err := theirs.disk(disk)
		if err != nil {
			return nil, err
		}
		fds.disks = append(fds.disks, fd)
		sets[disk.Serial] = firstSet + 1 + i
	}
	if spec.NIC != nil {
		fds.tap = theirs.lend(spec.NIC.Tap)
	}
	jailed := spec
	jailed.GuestDir = jailedGuest
	argv := append([]string{spec.Executable}, commandLine(jailed, fds)...)
	process, err := launch(spec, argv, theirs.files)
	if err != nil {
		return nil, err
	}
	m := &machine{
		process: process,
		channel: channel,
		done:    make(chan struct{}),
		plugged: missing(spec),
		sets:    sets,
	}
	m.monitor = newMonitor(qmp, func(event vmm.Event) { m.report(event, spec.Notify) })
	go m.follow()
	// Closed here already, so that the monitor's end is seen when QEMU dies at once.
	theirs.close()
	if err := m.monitor.negotiate(ctx); err != nil {
		err = errors.Join(err, m.Kill())
		<-m.done
		return nil, fmt.Errorf("QEMU did not come up (exit %+v): %w", m.exit, err)
	}
	if spec.Incoming != nil {
		if err := m.restore(ctx, spec.Incoming, later); err != nil {
			err = errors.Join(err, m.Kill())
			<-m.done
			return nil, fmt.Errorf("continue a saved machine (exit %+v): %w", m.exit, err)
		}
	}
	return m, nil
}

func closeUnless(err *error, conn net.Conn) {
	if *err != nil {
		_ = conn.Close() // the first error is the one to report
	}
}

// report passes an event on, with the disk's serial in place of QEMU's name.
func (m *machine) report(event vmm.Event, notify func(vmm.Event)) {
	if notify == nil {
		return
	}
	event.Disk = m.serial(event.Disk)
	notify(event)
}

func (m *machine) serial(node string) string {
	if node == nodeName(rootSerial) {
		return rootSerial
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for serial := range m.sets {
		if node == nodeName(serial) {
			return serial
		}
	}
	return ""
}

func (m *machine) follow() {
	exit := <-m.process.ended
	m.mu.Lock()
	m.exit = exit
	m.mu.Unlock()
	_ = m.monitor.close() // its other end is gone
	close(m.done)
}

// PID implements vmm.Machine.
func (m *machine) PID() int { return m.process.process.Pid }

// Channel implements vmm.Machine.
func (m *machine) Channel() net.Conn { return m.channel }

// Done implements vmm.Machine.
func (m *machine) Done() <-chan struct{} { return m.done }

// Wait implements vmm.Machine.
func (m *machine) Wait(ctx context.Context) (vmm.Exit, error) {
	select {
	case <-m.done:
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.exit, nil
	case <-ctx.Done():
		return vmm.Exit{}, ctx.Err()
	}
}

// Kill implements vmm.Machine.
func (m *machine) Kill() error {
	select {
	case <-m.done:
		return nil
	default:
	}
	// By the process, not by its ID, which may be reused once QEMU has been reaped.
	if err := m.process.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// AttachDisk implements vmm.Machine.
func (m *machine) AttachDisk(ctx context.Context, disk vmm.Disk) error {
	if err := validateSerial(disk.Serial); err != nil {
		return err
	}
	m.mu.Lock()
	if _, ok := m.sets[disk.Serial]; ok || disk.Serial == rootSerial {
		m.mu.Unlock()
		return fmt.Errorf("a disk with the serial %q is attached already", disk.Serial)
	}
	set := freeSet(m.sets)
	m.sets[disk.Serial] = set
	m.mu.Unlock()
	if err := m.attach(ctx, disk, set); err != nil {
		m.forget(disk.Serial)
		return fmt.Errorf("attach disk %q: %w", disk.Serial, err)
	}
	return nil
}

// freeSet returns the lowest number that no disk has. The first is the root disk's.
func freeSet(taken map[string]int) int {
	used := map[int]bool{}
	for _, set := range taken {
		used[set] = true
	}
	set := firstSet + 1
	for used[set] {
		set++
	}
	return set
}

func (m *machine) attach(ctx context.Context, disk vmm.Disk, set int) error {
	file, err := openDisk(disk)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := m.monitor.execute(ctx, "add-fd", map[string]any{"fdset-id": set}, file); err != nil {
		return err
	}
	err = m.monitor.execute(ctx, "blockdev-add", map[string]any{
		"driver": "raw", "node-name": nodeName(disk.Serial), "read-only": disk.ReadOnly, "discard": "unmap",
		"file": map[string]any{"driver": "file", "filename": fmt.Sprintf("/dev/fdset/%d", set), "locking": "off"},
	}, nil)
	if err != nil {
		return errors.Join(err, m.undo("remove-fd", map[string]any{"fdset-id": set}))
	}
	err = m.monitor.execute(ctx, "device_add", map[string]any{
		"driver": "scsi-hd", "id": deviceID(disk.Serial), "bus": bus, "drive": nodeName(disk.Serial), "serial": disk.Serial,
		// Linux adds a unit other than 0 as soon as it is announced; for unit 0 it
		// would scan its target, which the guest has turned off.
		"scsi-id": 0, "lun": set - firstSet, "werror": onError, "rerror": onError,
	}, nil)
	if err != nil {
		return errors.Join(err,
			m.undo("blockdev-del", map[string]any{"node-name": nodeName(disk.Serial)}),
			m.undo("remove-fd", map[string]any{"fdset-id": set}))
	}
	return nil
}

// undo runs a command that reverts another, even if the caller's time is up.
func (m *machine) undo(command string, arguments any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return m.monitor.execute(ctx, command, arguments, nil)
}

// DetachDisk implements vmm.Machine.
func (m *machine) DetachDisk(ctx context.Context, serial string) error {
	m.mu.Lock()
	set, ok := m.sets[serial]
	m.mu.Unlock()
	if !ok {
		return nil
	}
	if err := m.detach(ctx, serial, set); err != nil {
		return fmt.Errorf("detach disk %q: %w", serial, err)
	}
	m.forget(serial)
	return nil
}

func (m *machine) detach(ctx context.Context, serial string, set int) error {
	gone := m.monitor.whenDeleted(deviceID(serial))
	err := m.monitor.execute(ctx, "device_del", map[string]any{"id": deviceID(serial)}, nil)
	var refused *commandError
	switch {
	case errors.As(err, &refused) && refused.Class == "DeviceNotFound":
		// An earlier attempt was interrupted after this step.
	case err != nil:
		return err
	default:
		select {
		case <-gone:
		case <-m.done:
			return vmm.ErrGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := m.monitor.execute(ctx, "blockdev-del", map[string]any{"node-name": nodeName(serial)}, nil); err != nil {
		return err
	}
	// QEMU drops a set once nothing uses it and no duplicate of its file is left.
	err = m.monitor.execute(ctx, "remove-fd", map[string]any{"fdset-id": set}, nil)
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

func (m *machine) forget(serial string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sets, serial)
}

// handed are the files passed to the new process, by their descriptor numbers there.
type handed struct {
	files []*os.File
	owned []*os.File
}

func (h *handed) lend(file *os.File) int {
	h.files = append(h.files, file)
	return len(h.files) - 1
}

func (h *handed) give(file *os.File) int {
	h.owned = append(h.owned, file)
	return h.lend(file)
}

func (h *handed) close() {
	for _, file := range h.owned {
		_ = file.Close() // the process has its own by now
	}
	h.owned = nil
}

func (h *handed) disk(disk vmm.Disk) (int, error) {
	file, err := openDisk(disk)
	if err != nil {
		return 0, err
	}
	return h.give(file), nil
}

// socket creates a connected pair and keeps one end.
func (h *handed) socket() (*net.UnixConn, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("create a socket: %w", err)
	}
	fd := h.give(os.NewFile(uintptr(pair[1]), "qemu"))
	ours := os.NewFile(uintptr(pair[0]), "host")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, 0, fmt.Errorf("create a socket: %w", err)
	}
	return conn.(*net.UnixConn), fd, nil
}

func openDisk(disk vmm.Disk) (*os.File, error) {
	mode := os.O_RDWR
	if disk.ReadOnly {
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(disk.Path, mode|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a disk: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && info.Mode()&os.ModeDevice == 0 {
		err = errors.New("neither a file nor a device")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open disk %s: %w", disk.Path, err), file.Close())
	}
	return file, nil
}

// shortID names QEMU's objects: node names hold 31 bytes, serials may be longer.
func shortID(prefix, serial string) string {
	sum := sha256.Sum256([]byte(serial))
	return prefix + hex.EncodeToString(sum[:12])
}
