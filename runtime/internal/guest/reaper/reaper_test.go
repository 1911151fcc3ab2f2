// SPDX-License-Identifier: Apache-2.0

package reaper

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var attributes = &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Env: os.Environ()}

func next(t *testing.T, exits <-chan Exit) Exit {
	t.Helper()
	select {
	case exit := <-exits:
		return exit
	case <-time.After(30 * time.Second):
		t.Fatal("no exit came")
		return Exit{}
	}
}

// unused is beyond all process ids (proc_sys_kernel(5), pid_max).
const unused = 1 << 22

// One test, since a process has one reaper.
func TestExits(t *testing.T) {
	r := New()
	t.Run("an exit code comes back", func(t *testing.T) {
		_, exits, err := r.Start([]string{"/bin/sh", "-c", "exit 42"}, attributes, 0)
		if err != nil {
			t.Fatal(err)
		}
		if exit := next(t, exits); exit.Code != 42 || exit.At.IsZero() {
			t.Errorf("got %+v", exit)
		}
	})
	t.Run("a signal counts from 128", func(t *testing.T) {
		pid, exits, err := r.Start([]string{"/bin/sleep", "60"}, attributes, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Signal(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if exit := next(t, exits); exit.Code != 137 {
			t.Errorf("got %+v", exit)
		}
		if err := r.Signal(pid, unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
			t.Errorf("a signal after the exit: %v", err)
		}
	})
	t.Run("an exit from before anybody watched is kept", func(t *testing.T) {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, attributes)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); unix.Kill(pid, 0) == nil && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if exit := next(t, r.Watch(pid)); exit.Code != 0 {
			t.Errorf("got %+v", exit)
		}
	})
	t.Run("an exit of an earlier process with the same id is not the present one's", func(t *testing.T) {
		pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "60"}, attributes)
		if err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		r.deliver(pid, Exit{Code: 3})
		r.mu.Unlock()
		exits := r.Watch(pid)
		if err := r.Signal(pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
		if exit := next(t, exits); exit.Code != 137 {
			t.Errorf("got %+v", exit)
		}
	})
	t.Run("a program that is not there is an error", func(t *testing.T) {
		if _, _, err := r.Start([]string{"/nothing"}, attributes, 0); err == nil {
			t.Error("it started")
		}
	})
}

func TestOnlySoManyOrphansAreRemembered(t *testing.T) {
	r := &Reaper{watched: map[int]chan Exit{}, orphans: map[int]Exit{}}
	for pid := range 3 * keptOrphans {
		r.deliver(unused+pid, Exit{Code: pid})
	}
	if len(r.orphans) > keptOrphans {
		t.Errorf("%d are", len(r.orphans))
	}
	if len(r.order) > keptOrphans {
		t.Errorf("%d are in order", len(r.order))
	}
	if exit := <-r.Watch(unused + 3*keptOrphans - 1); exit.Code != 3*keptOrphans-1 {
		t.Errorf("the newest is %+v", exit)
	}
}
