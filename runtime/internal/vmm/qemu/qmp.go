// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/vmm"
)

const (
	// Far above the size of QEMU's replies to the commands used here.
	maxMessage   = 1 << 20
	writeTimeout = 10 * time.Second
)

// monitor is a client of QEMU's machine protocol (docs/interop/qmp-spec.rst).
// QEMU has read the tenant's disks and communicates with its guest, so its messages are
// bounded too.
type monitor struct {
	conn   *net.UnixConn
	notify func(vmm.Event) // disks are given by their node names

	mu      sync.Mutex // one command on the wire at a time; guards what follows
	next    uint64
	waiting map[uint64]chan reply
	deleted map[string][]chan struct{}
	failed  error
	ended   chan struct{}

	resume  sync.Once
	resumed chan struct{} // closed when the processors run, after a restore
}

type reply struct {
	result json.RawMessage
	err    error
}

type message struct {
	Greeting *json.RawMessage `json:"QMP"`
	ID       uint64           `json:"id"`
	Return   json.RawMessage  `json:"return"`
	Error    *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Device    string `json:"device"`
		NodeName  string `json:"node-name"`
		Operation string `json:"operation"`
		Reason    string `json:"reason"`
	} `json:"data"`
}

// newMonitor reads QEMU's messages until the connection ends. Commands may be
// sent once negotiate has returned.
func newMonitor(conn *net.UnixConn, notify func(vmm.Event)) *monitor {
	m := &monitor{
		conn:    conn,
		notify:  notify,
		waiting: map[uint64]chan reply{},
		deleted: map[string][]chan struct{}{},
		ended:   make(chan struct{}),
		resumed: make(chan struct{}),
	}
	go m.read()
	return m
}

// negotiate leaves the greeting mode. QEMU accepts the command at any time.
func (m *monitor) negotiate(ctx context.Context) error {
	return m.execute(ctx, "qmp_capabilities", nil, nil)
}

// execute runs one command; a non-nil file travels with it.
func (m *monitor) execute(ctx context.Context, command string, arguments any, file *os.File) error {
	_, err := m.query(ctx, command, arguments, file)
	return err
}

// query runs one command and returns its answer.
func (m *monitor) query(ctx context.Context, command string, arguments any, file *os.File) (json.RawMessage, error) {
	answer, id, err := m.send(command, arguments, file)
	if err != nil {
		return nil, fmt.Errorf("QEMU command %s: %w", command, err)
	}
	select {
	case got := <-answer:
		if got.err != nil {
			return nil, fmt.Errorf("QEMU command %s: %w", command, got.err)
		}
		return got.result, nil
	case <-m.ended:
		return nil, fmt.Errorf("QEMU command %s: %w", command, vmm.ErrGone)
	case <-ctx.Done():
		m.mu.Lock()
		delete(m.waiting, id)
		m.mu.Unlock()
		return nil, fmt.Errorf("QEMU command %s: %w", command, ctx.Err())
	}
}

func (m *monitor) send(command string, arguments any, file *os.File) (<-chan reply, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return nil, 0, m.failed
	}
	m.next++
	id := m.next
	text, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, arguments, id})
	if err != nil {
		return nil, 0, err
	}
	answer := make(chan reply, 1)
	m.waiting[id] = answer
	if err := m.write(append(text, '\n'), file); err != nil {
		delete(m.waiting, id)
		return nil, 0, err
	}
	return answer, id, nil
}

func (m *monitor) write(text []byte, file *os.File) error {
	if err := m.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if file == nil {
		_, err := m.conn.Write(text)
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = m.conn.WriteMsgUnix(text, unix.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sent)
}

// whenDeleted returns a channel that is closed when QEMU has released a device.
// It must be called before device_del.
func (m *monitor) whenDeleted(device string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := make(chan struct{})
	m.deleted[device] = append(m.deleted[device], gone)
	return gone
}

func (m *monitor) read() {
	err := m.readAll()
	m.mu.Lock()
	m.failed = errors.Join(vmm.ErrGone, err)
	m.mu.Unlock()
	close(m.ended)
}

func (m *monitor) readAll() error {
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(make([]byte, 4096), maxMessage)
	for lines.Scan() {
		var got message
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			return fmt.Errorf("QEMU said what is not its protocol: %w", err)
		}
		if got.Event != "" {
			m.event(&got)
		} else if got.Greeting == nil {
			m.answer(&got)
		}
	}
	return lines.Err()
}

// event handles QEMU's asynchronous messages (docs/interop/qemu-qmp-ref: Events).
func (m *monitor) event(got *message) {
	switch got.Event {
	case "DEVICE_DELETED":
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, waiting := range m.deleted[got.Data.Device] {
			close(waiting)
		}
		delete(m.deleted, got.Data.Device)
	case "RESUME":
		m.resume.Do(func() { close(m.resumed) })
	case "STOP":
		m.notify(vmm.Event{Kind: vmm.EventStopped})
	case "BLOCK_IO_ERROR":
		m.notify(vmm.Event{Kind: vmm.EventDiskError, Disk: got.Data.NodeName, Operation: got.Data.Operation, Reason: got.Data.Reason})
	}
}

func (m *monitor) answer(got *message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer, ok := m.waiting[got.ID]
	if !ok {
		return
	}
	delete(m.waiting, got.ID)
	if got.Error != nil {
		answer <- reply{err: &commandError{Class: got.Error.Class, Description: got.Error.Desc}}
		return
	}
	answer <- reply{result: got.Return}
}

func (m *monitor) close() error { return m.conn.Close() }

// commandError is QEMU's refusal of a command.
type commandError struct{ Class, Description string }

func (e *commandError) Error() string { return e.Description }
