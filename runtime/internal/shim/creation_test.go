// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"context"
	"os"
	"testing"
	"time"

	sandboxapi "github.com/containerd/containerd/api/runtime/sandbox/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"hypernetes.org/runtime/internal/fakeguest"
)

// A monitor that starts and is silent must delay only its own start.
func TestAMonitorThatSaysNothingCanBeShutDown(t *testing.T) {
	guest := fakeguest.New()
	guest.Silent = true
	f := newFixture(t, guest)
	created := make(chan error, 1)
	go func() { created <- f.create(nil) }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if entries, err := os.ReadDir(f.cfg.VMDir); err == nil && len(entries) > 0 {
			break // the monitor is about to be started
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is started")
		}
	}
	answered := make(chan error, 1)
	go func() {
		_, status := f.SandboxStatus(context.Background(), &sandboxapi.SandboxStatusRequest{SandboxID: id})
		_, shutdown := f.ShutdownSandbox(context.Background(), &sandboxapi.ShutdownSandboxRequest{SandboxID: id})
		if !errdefs.IsNotFound(errgrpc.ToNative(status)) {
			t.Errorf("the status is %v", status)
		}
		answered <- shutdown
	}()
	for _, step := range []struct {
		name string
		end  chan error
		fine bool
	}{{"the shutdown", answered, true}, {"the creation", created, false}} {
		select {
		case err := <-step.end:
			if (err == nil) != step.fine {
				t.Errorf("%s: %v", step.name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal(step.name + " hangs")
		}
	}
	must(t, f.Close(t.Context()))
	f.nothingLeft()
}

func TestAMonitorsStartHasADeadline(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	if !f.guest.StartBounded {
		t.Error("a silent monitor would be waited for without end")
	}
	if f.state() != stateReady {
		t.Error("the machine ended with the time for its start")
	}
}

func TestAShimWithoutASandboxEndsItself(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.endWithoutSandbox(0)
	ends := func(want int32) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); f.ended.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("asked to end %d times, want %d", f.ended.Load(), want)
			}
		}
	}
	ends(1)
	f.boot()
	f.endWithoutSandbox(0)
	time.Sleep(20 * time.Millisecond)
	ends(1) // a shim with a sandbox stays
}

// TestASandboxWhoseCallerIsGoneIsNeverReady: containerd was killed while the sandbox started,
// and has noted that it is not ready.
func TestASandboxWhoseCallerIsGoneIsNeverReady(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	must(t, f.create(nil))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.StartSandbox(gone, &sandboxapi.StartSandboxRequest{SandboxID: id}); err == nil {
		t.Error("it has started for a caller that is gone")
	}
	made, _, err := f.current()
	must(t, err)
	must(t, made.WaitReady(t.Context()))
	if f.state() != stateNotReady {
		t.Error("the machine has come up, and the sandbox is ready")
	}
	_, err = f.StopSandbox(t.Context(), &sandboxapi.StopSandboxRequest{SandboxID: id})
	must(t, err)
}
