// SPDX-License-Identifier: Apache-2.0

package task

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/anypb"

	"hypernetes.org/runtime/internal/fakeguest"
)

// registered is an exec of a command, with a FIFO for its output.
func registered(t *testing.T, s *Service, id string, command ...string) (*os.File, error) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "stdout")
	must(t, unix.Mkfifo(fifo, 0o600))
	reader, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
	must(t, err)
	t.Cleanup(func() { _ = reader.Close() })
	spec, err := json.Marshal(specs.Process{Args: command})
	must(t, err)
	return reader, s.Exec(soon(t), &api.ExecProcessRequest{ID: "c1", ExecID: id, Spec: &anypb.Any{Value: spec}, Stdout: fifo})
}

func exit(t *testing.T, s *Service, id string) uint32 {
	t.Helper()
	answer, err := s.Wait(soon(t), &api.WaitRequest{ID: "c1", ExecID: id})
	must(t, err)
	return answer.GetExitStatus()
}

func TestAProbeIsOneCallToTheGuest(t *testing.T) {
	guest := fakeguest.New()
	guest.ProbeCode = 1
	s := newService(t, guest)
	start(t, s)
	before := len(guest.Made())
	output, err := registered(t, s, "e1", probePath, "http", "--port=80", "--timeout=1")
	must(t, err)
	_, err = s.Start(soon(t), &api.StartRequest{ID: "c1", ExecID: "e1"})
	must(t, err)
	if code := exit(t, s, "e1"); code != 1 {
		t.Errorf("exit %d", code)
	}
	_, err = s.Delete(soon(t), &api.DeleteRequest{ID: "c1", ExecID: "e1"})
	must(t, err)
	must(t, output.SetReadDeadline(time.Now().Add(10*time.Second)))
	if got, err := io.ReadAll(output); err != nil || string(got) != "http --port=80 --timeout=1 10.0.0.5" {
		t.Errorf("output %q, %v", got, err)
	}
	calls := slices.DeleteFunc(guest.Made()[before:], func(call string) bool { return call == "Wait" }) // for c1's exit
	if !slices.Equal(calls, []string{"Probe"}) {
		t.Errorf("the guest was asked to %v", calls)
	}
}

func TestOnlyTheReservedPathIsAProbe(t *testing.T) {
	for _, command := range [][]string{nil, {"probe"}, {"sh", "-c", probePath}, {probePath + "/"}, {"/." + probePath}} {
		if p, err := probeOf(command); p != nil || err != nil {
			t.Errorf("%v: %v, %v", command, p, err)
		}
	}
	if _, err := probeOf([]string{probePath, strings.Repeat("x", maxProbeArguments)}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("too many arguments: %v", err)
	}
}

func TestAKilledProbeEnds(t *testing.T) {
	guest := fakeguest.New()
	guest.HoldProbes = true
	s := newService(t, guest)
	start(t, s)
	endsBy(t, s, "killed", func() error { return s.Kill(soon(t), &api.KillRequest{ID: "c1", ExecID: "killed", Signal: 9}) })
	// With its container, which is last: it is not started again.
	endsBy(t, s, "left", func() error { return s.Kill(soon(t), &api.KillRequest{ID: "c1", Signal: 9}) })
}

func endsBy(t *testing.T, s *Service, id string, end func() error) {
	t.Helper()
	_, err := registered(t, s, id, probePath, "hook", "--port=80")
	must(t, err)
	started := make(chan error, 1)
	go func() {
		_, err := s.Start(soon(t), &api.StartRequest{ID: "c1", ExecID: id})
		started <- err
	}()
	for {
		if _, p, err := s.find("c1", id); err == nil {
			if status, _ := p.now(); status == running {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	must(t, end())
	if code := exit(t, s, id); code != killedCode {
		t.Errorf("%s: exit %d", id, code)
	}
	must(t, <-started)
}

func TestTheGuestHasNoMoreThanTheProbesTime(t *testing.T) {
	for arguments, want := range map[string]time.Duration{
		"--timeout=1": time.Second + answerTime, "--timeout=0": 0, "--timeout=x": 0, "": 0, "--port=1": 0,
	} {
		if got := (&probing{arguments: []string{"http", arguments}}).patience(); got != want {
			t.Errorf("%s: %s", arguments, got)
		}
	}
}
