// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/vmm"
)

// fake is the other end of a monitor's socket.
type fake struct {
	conn   *net.UnixConn
	lines  *bufio.Scanner
	events chan vmm.Event // what the monitor reported
}

func newFake(t testing.TB) (*monitor, *fake) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range pair {
		file := os.NewFile(uintptr(fd), "end")
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		ends[i] = conn.(*net.UnixConn)
	}
	events := make(chan vmm.Event, 8)
	m := newMonitor(ends[0], func(event vmm.Event) {
		select {
		case events <- event:
		default: // a fuzzed QEMU may say more than is read
		}
	})
	t.Cleanup(func() {
		_ = m.close()
		_ = ends[1].Close()
		<-m.ended
	})
	return m, &fake{conn: ends[1], lines: bufio.NewScanner(ends[1]), events: events}
}

func (f *fake) say(t *testing.T, format string, arguments ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(f.conn, format+"\r\n", arguments...); err != nil {
		t.Error(err)
	}
}

func (f *fake) hear(t *testing.T) (command string, id uint64) {
	t.Helper()
	if !f.lines.Scan() {
		t.Error("nothing was said:", f.lines.Err())
		return "", 0
	}
	var got struct {
		Execute string
		ID      uint64
	}
	if err := json.Unmarshal(f.lines.Bytes(), &got); err != nil {
		t.Error(err)
	}
	return got.Execute, got.ID
}

func TestACommandGetsItsOwnAnswer(t *testing.T) {
	m, qemu := newFake(t)
	go func() {
		qemu.say(t, `{"QMP": {"version": {}}}`)
		_, id := qemu.hear(t)
		qemu.say(t, `{"return": {}, "id": %d}`, id+100)
		qemu.say(t, `{"event": "RESUME", "timestamp": {}}`)
		qemu.say(t, `{"return": {}, "id": %d}`, id)
	}()
	if err := m.negotiate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARefusedCommandTellsQEMUsReason(t *testing.T) {
	m, qemu := newFake(t)
	go func() {
		_, id := qemu.hear(t)
		qemu.say(t, `{"error": {"class": "DeviceNotFound", "desc": "no such thing"}, "id": %d}`, id)
	}()
	err := m.execute(t.Context(), "device_del", nil, nil)
	var refused *commandError
	if !errors.As(err, &refused) || refused.Class != "DeviceNotFound" || refused.Description != "no such thing" {
		t.Errorf("got %v", err)
	}
}

func TestAnOpenFileTravelsWithItsCommand(t *testing.T) {
	m, qemu := newFake(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	go func() {
		text, rights := make([]byte, 1024), make([]byte, 128)
		_, n, _, _, err := qemu.conn.ReadMsgUnix(text, rights)
		if err != nil {
			t.Error(err)
		}
		messages, err := unix.ParseSocketControlMessage(rights[:n])
		if err != nil || len(messages) != 1 {
			t.Error("no file came", err)
			return
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			t.Error("no file came", err)
			return
		}
		got := os.NewFile(uintptr(fds[0]), "received")
		_, _ = got.WriteString("through")
		_ = got.Close()
		qemu.say(t, `{"return": {}, "id": 1}`)
	}()
	if err := m.execute(t.Context(), "add-fd", nil, write); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 7)
	if _, err := read.Read(text); err != nil || string(text) != "through" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestEverybodyWaitingLearnsOfADeletedDeviceOnce(t *testing.T) {
	m, qemu := newFake(t)
	first, second, other := m.whenDeleted("d1"), m.whenDeleted("d1"), m.whenDeleted("d2")
	// QEMU says it twice for some devices, the second time without a device.
	qemu.say(t, `{"event": "DEVICE_DELETED", "data": {"device": "d1", "path": "/p"}}`)
	qemu.say(t, `{"event": "DEVICE_DELETED", "data": {"device": "d1", "path": "/p"}}`)
	qemu.say(t, `{"event": "DEVICE_DELETED", "data": {"path": "/p/x"}}`)
	for _, gone := range []<-chan struct{}{first, second} {
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Fatal("it was not reported")
		}
	}
	select {
	case <-other:
		t.Error("another device was deleted")
	default:
	}
}

func TestTheEndOfQEMUEndsACommand(t *testing.T) {
	m, qemu := newFake(t)
	go func() {
		qemu.hear(t)
		_ = qemu.conn.Close()
	}()
	if err := m.execute(t.Context(), "device_add", nil, nil); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("got %v", err)
	}
	if err := m.execute(t.Context(), "device_add", nil, nil); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestACommandEndsWithItsContext(t *testing.T) {
	m, _ := newFake(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := m.execute(ctx, "device_add", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if len(m.waiting) != 0 {
		t.Error("the command is still remembered")
	}
}

func FuzzMonitor(f *testing.F) {
	f.Add([]byte(`{"QMP": {}}` + "\n" + `{"return": {}, "id": 1}` + "\n"))
	f.Add([]byte(`{"event": "DEVICE_DELETED", "data": {"device": "d1"}}` + "\n"))
	f.Add(bytes.Repeat([]byte("x"), 8192))
	f.Fuzz(func(t *testing.T, said []byte) {
		m, qemu := newFake(t)
		m.whenDeleted("d1")
		go func() {
			_, _ = qemu.conn.Write(said)
			_ = qemu.conn.Close()
		}()
		select {
		case <-m.ended:
		case <-time.After(30 * time.Second):
			t.Fatal("the monitor hangs")
		}
	})
}

func TestWhatStopsAMachineIsReported(t *testing.T) {
	_, qemu := newFake(t)
	qemu.say(t, `{"event":"BLOCK_IO_ERROR","data":{"device":"","node-name":"b1","operation":"write","action":"report",`+
		`"nospace":true,"reason":"No space left on device"},"timestamp":{"seconds":1,"microseconds":2}}`)
	qemu.say(t, `{"event":"RTC_CHANGE","data":{"offset":1}}`)
	qemu.say(t, `{"event":"STOP"}`)
	for _, want := range []vmm.Event{
		{Kind: vmm.EventDiskError, Disk: "b1", Operation: "write", Reason: "No space left on device"},
		{Kind: vmm.EventStopped},
	} {
		select {
		case got := <-qemu.events:
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%+v was not reported", want)
		}
	}
}

func TestAnEventNamesTheDiskByItsSerial(t *testing.T) {
	m := &machine{sets: map[string]int{"scratch": 2}}
	for node, want := range map[string]string{nodeName("scratch"): "scratch", nodeName(rootSerial): rootSerial, "other": "", "": ""} {
		m.report(vmm.Event{Disk: node}, func(event vmm.Event) {
			if event.Disk != want {
				t.Errorf("%q is %q, want %q", node, event.Disk, want)
			}
		})
	}
}
