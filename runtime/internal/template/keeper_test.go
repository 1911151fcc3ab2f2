// SPDX-License-Identifier: Apache-2.0

package template

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// node is a keeper whose templates are small files.
type node struct {
	*Keeper
	t       *testing.T
	request Request
	clock   time.Time
	made    atomic.Int32
	fail    bool
}

func newNode(t *testing.T, limits Limits) *node {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, request: Request{Owner: "red", GuestDir: dir, Executable: filepath.Join(dir, "manifest.json")}, clock: time.Now()}
	n.Keeper = NewKeeper(limits, func(context.Context, Request) (*Template, error) {
		n.made.Add(1)
		if n.fail {
			return nil, errors.New("QEMU did not start")
		}
		memory, err := memoryFile("memory", 0)
		if err != nil {
			return nil, err
		}
		state, err := memoryFile("state", 0)
		if err != nil {
			return nil, err
		}
		_, err = memory.Write(make([]byte, 1<<20))
		if err == nil {
			_, err = state.WriteString("state")
		}
		return &Template{Memory: memory, State: state}, err
	})
	n.now = func() time.Time { return n.clock }
	t.Cleanup(n.Close)
	return n
}

// settle waits for a template that is being made.
func (n *node) settle() {
	n.mu.Lock() // so that what a server's goroutine has begun is seen
	defer n.mu.Unlock()
	for n.making != "" {
		n.mu.Unlock()
		time.Sleep(time.Millisecond)
		n.mu.Lock()
	}
}

// get says whether there is a template, and waits for one that is being made.
func (n *node) get(owner string) bool {
	n.t.Helper()
	request := n.request
	request.Owner = owner
	found, err := n.Get(n.t.Context(), request)
	if err != nil {
		n.t.Fatal(err)
	}
	n.settle()
	if found == nil {
		return false
	}
	text := make([]byte, 5)
	if _, err := found.State.Read(text); err != nil || string(text) != "state" {
		n.t.Errorf("the state begins with %q, %v", text, err)
	}
	if err := found.Close(); err != nil {
		n.t.Error(err)
	}
	return true
}

var ample = Limits{Count: 8, Memory: 1 << 30, Age: time.Hour, Idle: time.Hour, Grace: time.Minute}

func TestATemplateIsMadeAtTheFirstUseAndIsItsOwnersAlone(t *testing.T) {
	n := newNode(t, ample)
	if n.get("red") {
		t.Error("the first machine found a template")
	}
	for range 2 {
		if !n.get("red") {
			t.Error("a later one found none")
		}
	}
	if n.get("blue") {
		t.Error("another owner shares it")
	}
	if n.made.Load() != 2 {
		t.Errorf("%d were made", n.made.Load())
	}
}

func TestATemplateDoesNotOutliveItsGuestItsAgeOrItsUse(t *testing.T) {
	for name, change := range map[string]func(*node){
		"the guest was updated": func(n *node) {
			if err := os.WriteFile(filepath.Join(n.request.GuestDir, "manifest.json"), []byte("2"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"it is old": func(n *node) {
			for range 5 {
				n.clock = n.clock.Add(50 * time.Minute)
				n.get("red")
				n.limits.Idle = 2 * time.Hour
			}
			n.made.Store(0)
			n.clock = n.clock.Add(61 * time.Minute)
		},
		"nobody used it": func(n *node) { n.clock = n.clock.Add(61 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, ample)
			n.get("red")
			change(n)
			n.made.Store(0)
			if n.get("red") || n.made.Load() != 1 {
				t.Error("it is still there")
			}
		})
	}
}

func TestATemplateGoesWithItsOwnersLastPod(t *testing.T) {
	n := newNode(t, ample)
	n.get("red")
	n.get("blue")
	pods := map[string]bool{"red": true, "blue": true}
	fault := error(nil)
	after := func(seconds int) {
		n.clock = n.clock.Add(time.Duration(seconds) * time.Second)
		n.sweep(func() (map[string]bool, error) { return pods, fault })
	}
	has := func(what string, want ...string) {
		t.Helper()
		found := map[string]bool{}
		for _, e := range n.entries {
			found[e.owner] = true
		}
		if len(found) != len(want) {
			t.Errorf("%s: there are templates of %v, not of %v", what, found, want)
		}
	}
	after(600)
	has("both have pods", "red", "blue")
	pods["blue"] = false
	after(10)
	pods["blue"] = true
	after(50)
	pods["blue"] = false
	after(10)
	after(50)
	has("blue had one in between", "red", "blue")
	fault = errors.New("the records cannot be read")
	after(10)
	has("it is not known who has", "red", "blue")
	fault = nil
	after(10)
	has("blue has had none for a minute", "red")
	if n.get("blue") {
		t.Error("the next pod of blue found a template")
	}
}

// TestThereIsRoomBeforeATemplateIsMade: while it is made, it already takes its memory.
func TestThereIsRoomBeforeATemplateIsMade(t *testing.T) {
	n := newNode(t, Limits{Count: 8, Memory: 2 << 20, Age: time.Hour, Idle: time.Hour})
	n.get("a")
	maker, held := n.make, -1
	n.make = func(ctx context.Context, request Request) (*Template, error) {
		n.mu.Lock()
		held = len(n.entries)
		n.mu.Unlock()
		return maker(ctx, request)
	}
	n.request.Memory = 3 << 19
	n.get("b")
	if held != 0 || n.made.Load() != 2 {
		t.Errorf("%d were kept while another one was made, %d made", held, n.made.Load())
	}
}

func TestLimitsHold(t *testing.T) {
	for name, limits := range map[string]Limits{
		"number": {Count: 2, Memory: 1 << 30, Age: time.Hour, Idle: time.Hour},
		"memory": {Count: 8, Memory: 5 << 19, Age: time.Hour, Idle: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, limits)
			for _, owner := range []string{"a", "b", "c"} {
				n.get(owner)
				n.clock = n.clock.Add(time.Second)
			}
			if len(n.entries) != 2 {
				t.Errorf("it holds %d", len(n.entries))
			}
			if !n.get("c") || !n.get("b") || n.get("a") {
				t.Error("not the longest unused one was dropped")
			}
		})
	}
}

// TestATenantTakesNoTemplateFromAnother: the tenant that has most loses one.
func TestATenantTakesNoTemplateFromAnother(t *testing.T) {
	n := newNode(t, Limits{Count: 3, Memory: 1 << 30, Age: time.Hour, Idle: time.Hour})
	n.get("blue")
	for cpus := range 10 {
		n.clock = n.clock.Add(time.Second)
		n.request.CPUs = cpus + 1
		n.get("red")
	}
	n.request.CPUs = 0
	if !n.get("blue") {
		t.Error("red's templates have taken the place of blue's")
	}
	if len(n.entries) != 3 {
		t.Errorf("it holds %d", len(n.entries))
	}
}

func TestWhatCannotBeMadeIsNotTriedAtEachPod(t *testing.T) {
	n := newNode(t, ample)
	n.fail = true
	for range 3 {
		n.get("red")
	}
	if n.made.Load() != 1 {
		t.Errorf("tried %d times", n.made.Load())
	}
	n.fail, n.clock = false, n.clock.Add(retryAfter)
	if n.get("red"); !n.get("red") {
		t.Error("it is not tried again")
	}
}

func TestShimsAreAnswered(t *testing.T) {
	n := newNode(t, ample)
	socket := filepath.Join(t.TempDir(), "run", "templates.sock")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, listener, n.Keeper) }()
	for _, want := range []bool{false, true, true} {
		found, err := Ask(t.Context(), socket, n.request)
		if err != nil || (found != nil) != want {
			t.Fatalf("got %v, %v, want one: %t", found, err, want)
		}
		n.settle()
		if found != nil {
			text := make([]byte, 5)
			if _, err := found.State.Read(text); err != nil || string(text) != "state" {
				t.Errorf("the state begins with %q, %v", text, err)
			}
			_ = found.Close()
		}
	}
	if found, err := Ask(t.Context(), socket, Request{GuestDir: "/nothing"}); found != nil || err != nil {
		t.Errorf("a request that cannot be served: %v, %v", found, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := Ask(t.Context(), socket, n.request); err == nil {
		t.Error("a keeper that is gone answered")
	}
}
