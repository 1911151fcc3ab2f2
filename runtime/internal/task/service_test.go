// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	api "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/fakeguest"
	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/stdio"
)

// unheard takes events that no test asks about.
type unheard struct{}

func (unheard) Publish(context.Context, string, proto.Message) error { return nil }

// newService is the tasks of a pod whose guest is fake, with the container c1.
func newService(t *testing.T, guest *fakeguest.Guest) *Service {
	t.Helper()
	root := t.TempDir()
	cfg := config.Default()
	cfg.RecordsDir, cfg.VMDir = filepath.Join(root, "records"), filepath.Join(root, "vm")
	cfg.KubeletDir, cfg.ContainerdRoot, cfg.ScratchSize = root, root, 64<<20
	must(t, os.MkdirAll(cfg.RecordsDir, 0o755))
	must(t, os.WriteFile(filepath.Join(cfg.RecordsDir, "s1.json"), fmt.Append(nil, `{"version":1,"sandbox_id":"s1","pod_uid":"u1",
		"tap":"tap0","mac":"fa:16:3e:00:00:01","mtu":1442,"addresses":["10.0.0.5/24"],"routes":[]}`), 0o600))
	made, err := sandbox.Create(t.Context(), sandbox.Host{
		Config: cfg, Driver: guest,
		Accelerator: func(context.Context, config.Config, uint32) (string, int, error) { return "tcg", 0, nil },
		OpenTAP:     func(string) (*os.File, error) { return os.Open(os.DevNull) },
		Hierarchies: func() ([]string, error) { return nil, nil },
		AdjustOOM:   func(_, _ int) error { return nil },
	}, sandbox.Request{ID: "s1", NetnsPath: "/run/netns/x",
		Pod: &criruntime.PodSandboxConfig{Metadata: &criruntime.PodSandboxMetadata{Uid: "u1", Name: "p"}}})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	s := New(ctx, made, unheard{}, func() {})
	t.Cleanup(func() {
		if err := made.Stop(context.Background(), 0); err != nil {
			t.Error(err)
		}
		s.Drain()
		cancel()
	})
	must(t, made.WaitReady(t.Context()))
	found, err := made.Guest()
	must(t, err)
	_, err = found.CreateContainer(t.Context(), &guestv1.CreateContainerRequest{Id: "c1"})
	must(t, err)
	s.containers["c1"] = &container{id: "c1", process: newProcess("c1", "", stdio.Paths{}), execs: map[string]*process{}}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// soon is the context of a call that must not hang.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, s *Service) {
	t.Helper()
	_, err := s.Start(t.Context(), &api.StartRequest{ID: "c1"})
	must(t, err)
}

// A guest must not be able to keep its machine by not releasing a container.
func TestAContainerThatOutlivesSIGKILLTakesTheMachineAlong(t *testing.T) {
	for name, hostile := range map[string]func(*fakeguest.Guest){
		"ignored":    func(g *fakeguest.Guest) { g.IgnoresSignals = true },
		"unanswered": func(g *fakeguest.Guest) { g.Silence("Signal", true) },
		"no exit":    func(g *fakeguest.Guest) { g.Silence("Wait", true) },
	} {
		t.Run(name, func(t *testing.T) {
			guest := fakeguest.New()
			hostile(guest)
			s := newService(t, guest)
			s.patience = 50 * time.Millisecond
			start(t, s)
			if err := s.Kill(soon(t), &api.KillRequest{ID: "c1", Signal: 9}); err != nil && !errdefs.IsNotFound(err) {
				t.Errorf("kill: %v", err)
			}
			exit, err := s.Wait(soon(t), &api.WaitRequest{ID: "c1"})
			must(t, err)
			if exit.GetExitStatus() != killedCode {
				t.Errorf("exit code %d", exit.GetExitStatus())
			}
			_, err = s.Delete(soon(t), &api.DeleteRequest{ID: "c1"})
			must(t, err)
			must(t, s.sandbox.Stop(soon(t), time.Second))
		})
	}
}

func TestAnotherSignalMayBeIgnored(t *testing.T) {
	guest := fakeguest.New()
	guest.IgnoresSignals = true
	s := newService(t, guest)
	s.patience = time.Millisecond
	start(t, s)
	must(t, s.Kill(t.Context(), &api.KillRequest{ID: "c1", Signal: 15}))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Wait(ctx, &api.WaitRequest{ID: "c1"}); err == nil {
		t.Error("SIGTERM ended the machine")
	}
}

func TestAGuestThatReadsNothingIsStopped(t *testing.T) {
	guest := fakeguest.New()
	s := newService(t, guest)
	start(t, s)
	guest.StopReading()
	found, err := s.sandbox.Guest()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		// More than the window: it is not all sent, and ttrpc writes nothing else meanwhile.
		_, _ = found.Update(ctx, &guestv1.UpdateRequest{Id: "c1", Resources: make([]byte, 1<<20)})
	}()
	select {
	case <-blocked:
	case <-time.After(10 * time.Second):
		t.Error("a call does not end with its context")
	}
	must(t, s.sandbox.Stop(soon(t), time.Second))
	select {
	case <-s.containers["c1"].process.exited:
	case <-time.After(10 * time.Second):
		t.Error("the container did not exit")
	}
}

func TestAnUnansweredStartMayHaveStartedSomething(t *testing.T) {
	guest := fakeguest.New()
	guest.Silence("Start", true)
	s := newService(t, guest)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Start(ctx, &api.StartRequest{ID: "c1"}); !errdefs.IsUnavailable(err) {
		t.Fatalf("start: %v", err)
	}
	if _, err := s.Delete(t.Context(), &api.DeleteRequest{ID: "c1"}); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("delete: %v", err)
	}
	must(t, s.Kill(soon(t), &api.KillRequest{ID: "c1", Signal: 9}))
	exit, err := s.Wait(soon(t), &api.WaitRequest{ID: "c1"})
	must(t, err)
	if exit.GetExitStatus() != killedCode || !guest.Called("Signal") {
		t.Errorf("exit code %d, the guest was asked: %t", exit.GetExitStatus(), guest.Called("Signal"))
	}
}

func TestARefusedStartStartedNothing(t *testing.T) {
	guest := fakeguest.New()
	s := newService(t, guest)
	found, err := s.sandbox.Guest()
	must(t, err)
	_, err = found.Delete(t.Context(), &guestv1.ProcessRequest{Id: "c1"}) // the guest knows no c1
	must(t, err)
	if _, err := s.Start(t.Context(), &api.StartRequest{ID: "c1"}); !errdefs.IsNotFound(err) {
		t.Errorf("start: %v", err)
	}
	if status, _ := s.containers["c1"].process.now(); status != created {
		t.Errorf("status %d", status)
	}
}

func TestASilentGuestDoesNotHoldUpStatistics(t *testing.T) {
	guest := fakeguest.New()
	s := newService(t, guest)
	guest.Silence("Stats", true)
	if _, err := s.Stats(soon(t), "c1"); !errdefs.IsNotFound(err) {
		t.Fatalf("without a sample: %v", err)
	}
	began := time.Now()
	for range 20 {
		if _, err := s.Stats(soon(t), "c1"); !errdefs.IsNotFound(err) {
			t.Fatalf("without a sample: %v", err)
		}
	}
	if took := time.Since(began); took > statsPatience {
		t.Errorf("20 more questions took %s", took)
	}
}

func TestTheLastStatisticsStandInForLateOnes(t *testing.T) {
	guest := fakeguest.New()
	s := newService(t, guest)
	want, err := s.Stats(soon(t), "c1")
	must(t, err)
	guest.Silence("Stats", true)
	got, err := s.Stats(soon(t), "c1")
	must(t, err)
	if !proto.Equal(got, want) {
		t.Errorf("got %v, not %v", got, want)
	}
}

// containerd asks the containers of all pods one after another.
func TestASilentGuestCostsTheSameHoweverManyContainersItHas(t *testing.T) {
	guest := fakeguest.New()
	s := newService(t, guest)
	ids := []string{"c1"}
	for number := range 20 {
		id := fmt.Sprintf("more-%d", number)
		s.containers[id] = &container{id: id, process: newProcess(id, "", stdio.Paths{}), execs: map[string]*process{}}
		ids = append(ids, id)
	}
	guest.Silence("Stats", true)
	began := time.Now()
	for range 3 {
		for _, id := range ids {
			if _, err := s.Stats(soon(t), id); !errdefs.IsNotFound(err) {
				t.Fatalf("got %v", err)
			}
		}
	}
	if took := time.Since(began); took > 2*statsPatience {
		t.Errorf("%d containers took %s", len(ids), took)
	}
	guest.Silence("Stats", false)
	// One that was not asked about before: the others' questions are still open.
	s.containers["fresh"] = &container{id: "fresh", process: newProcess("fresh", "", stdio.Paths{}), execs: map[string]*process{}}
	for deadline := time.Now().Add(10 * time.Second); s.silent.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an answer does not count")
		}
		_, _ = s.Stats(soon(t), "fresh")
	}
}

// containerd may ask about an exec that is being registered.
func TestAnExecMayBeAskedAboutWhileItIsRegistered(t *testing.T) {
	s := newService(t, fakeguest.New())
	start(t, s)
	registered := make(chan error, 1)
	go func() {
		registered <- s.Exec(soon(t), &api.ExecProcessRequest{ID: "c1", ExecID: "e1", Spec: &anypb.Any{Value: []byte(`{"args":["true"]}`)}})
	}()
	for {
		_ = s.CloseIO(&api.CloseIORequest{ID: "c1", ExecID: "e1", Stdin: true}) // not found, or no input
		select {
		case err := <-registered:
			must(t, err)
			return
		default:
		}
	}
}
