// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"hypernetes.org/runtime/internal/vmm"
)

func TestAStoppedMachineEndsItsSandboxAndADiskErrorDoesNot(t *testing.T) {
	s := &Sandbox{}
	s.live, s.kill = context.WithCancelCause(t.Context())
	s.notify(vmm.Event{Kind: vmm.EventDiskError, Disk: "l1", Operation: "write", Reason: "No space left on device"})
	if s.live.Err() != nil {
		t.Fatal("a disk error ended the sandbox")
	}
	s.notify(vmm.Event{Kind: vmm.EventStopped})
	if cause := context.Cause(s.live); !errors.Is(cause, errStopped) {
		t.Errorf("the sandbox lives on: %v", cause)
	}
}

func TestDiskErrorsAreLoggedOnceAnInterval(t *testing.T) {
	var errs diskErrors
	now := time.Now()
	for number, want := range []bool{true, false, false} {
		if _, logged := errs.count(now); logged != want {
			t.Errorf("error %d is logged: %v", number, logged)
		}
	}
	if unlogged, logged := errs.count(now.Add(diskErrorInterval)); !logged || unlogged != 2 {
		t.Errorf("after the interval: %d, %v", unlogged, logged)
	}
}
