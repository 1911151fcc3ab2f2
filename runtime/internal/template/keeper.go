// SPDX-License-Identifier: Apache-2.0

package template

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/log"
)

// Limits bound what a keeper holds.
type Limits struct {
	Count  int           // templates
	Memory int64         // bytes that their files occupy
	Age    time.Duration // a template is thrown away after this, and made again
	Idle   time.Duration // ... or when it was not used for this long
	Grace  time.Duration // ... or when its owner has had no pod on the node for this long
}

const (
	// The first boot on a loaded node under emulation may take a minute.
	makeTimeout = 3 * time.Minute
	// A template that cannot be made is tried again after this.
	retryAfter = 10 * time.Minute
)

// Keeper holds the templates of a node.
type Keeper struct {
	limits Limits
	make   func(ctx context.Context, request Request) (*Template, error)
	now    func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	making  string               // the one being made; "" none
	failed  map[string]time.Time // when one could not be made
	closed  bool
	work    sync.WaitGroup // grows under mu, until closed
}

type entry struct {
	template   *Template
	owner      string
	made, used time.Time
	alone      time.Time // since when the owner has had no pod on the node; zero: it has
}

// NewKeeper returns a keeper that makes templates with a function.
func NewKeeper(limits Limits, maker func(ctx context.Context, request Request) (*Template, error)) *Keeper {
	return &Keeper{limits: limits, make: maker, now: time.Now, entries: map[string]*entry{}, failed: map[string]time.Time{}}
}

// Get returns a template's files, which the caller closes; nil if there is none
// yet. Then one is made until ctx ends, so that a later caller finds it.
func (k *Keeper) Get(ctx context.Context, request Request) (*Template, error) {
	key, err := request.key()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	if found, ok := k.entries[key]; ok {
		found.used = k.now()
		return found.template.lend()
	}
	if when, failed := k.failed[key]; k.closed || k.making != "" || failed && k.now().Sub(when) < retryAfter {
		return nil, nil
	}
	k.shrink(k.limits.Count-1, k.limits.Memory-request.Memory)
	k.making = key
	k.work.Go(func() { k.fill(ctx, key, request) })
	return nil, nil
}

func (k *Keeper) fill(ctx context.Context, key string, request Request) {
	ctx, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	begin := time.Now()
	made, err := k.make(ctx, request)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.making = ""
	if err != nil {
		k.failed[key] = k.now()
		log.L.WithError(err).WithField("owner", request.Owner).Warn("pods are booted: no template could be made")
		return
	}
	delete(k.failed, key)
	k.entries[key] = &entry{template: made, owner: request.Owner, made: k.now(), used: k.now()}
	log.L.WithField("owner", request.Owner).WithField("cpus", request.CPUs).WithField("took", time.Since(begin)).Info("made a template")
	k.drop()
}

// drop closes what is too old, unused, or beyond the limits: the longest unused first.
func (k *Keeper) drop() {
	for key, e := range k.entries {
		if k.now().Sub(e.made) > k.limits.Age || k.now().Sub(e.used) > k.limits.Idle {
			k.remove(key)
		}
	}
	k.shrink(k.limits.Count, k.limits.Memory)
	for key, when := range k.failed {
		if k.now().Sub(when) >= retryAfter {
			delete(k.failed, key)
		}
	}
}

// shrink drops templates until at most so many remain, of so many bytes: of those of the
// owner that has most, the longest unused. A tenant whose pods have many numbers of CPUs takes
// nothing from one that has a single template.
func (k *Keeper) shrink(count int, memory int64) {
	for len(k.entries) > 0 && (len(k.entries) > count || k.occupied() > memory) {
		number := map[string]int{}
		for _, e := range k.entries {
			number[e.owner]++
		}
		victim := ""
		for key, e := range k.entries {
			chosen := k.entries[victim]
			if chosen == nil || number[e.owner] > number[chosen.owner] ||
				number[e.owner] == number[chosen.owner] && e.used.Before(chosen.used) {
				victim = key
			}
		}
		k.remove(victim)
	}
}

// dropAlone drops the templates of owners that have had no pod on the node for a while:
// nothing tells the node that a project's namespaces are gone.
func (k *Keeper) dropAlone(owners map[string]bool) {
	for key, e := range k.entries {
		switch {
		case owners[e.owner]:
			e.alone = time.Time{}
		case e.alone.IsZero():
			e.alone = k.now()
		}
		if !e.alone.IsZero() && k.now().Sub(e.alone) >= k.limits.Grace {
			log.L.WithField("owner", e.owner).Info("dropped a template: its owner has no pod on the node")
			k.remove(key)
		}
	}
}

func (k *Keeper) remove(key string) {
	if err := k.entries[key].template.Close(); err != nil {
		log.L.WithError(err).Warn("close a template")
	}
	delete(k.entries, key)
}

func (k *Keeper) occupied() int64 {
	sum := int64(0)
	for _, e := range k.entries {
		sum += occupied(e.template.Memory) + occupied(e.template.State)
	}
	return sum
}

// occupied is the memory that a file has pages for.
func occupied(file *os.File) int64 {
	info, err := file.Stat()
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return stat.Blocks * 512
}

// Sweep throws away what is of no use any more, until ctx ends. The function returns
// who has pods on the node.
func (k *Keeper) Sweep(ctx context.Context, every time.Duration, owners func() (map[string]bool, error)) {
	for ticks := time.NewTicker(every); ; {
		select {
		case <-ticks.C:
			k.sweep(owners)
		case <-ctx.Done():
			ticks.Stop()
			return
		}
	}
}

func (k *Keeper) sweep(owners func() (map[string]bool, error)) {
	found, err := owners()
	if err != nil {
		log.L.WithError(err).Warn("templates stay whose owners may have no pod on the node any more")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	if err == nil {
		k.dropAlone(found)
	}
}

// Close waits for what is being made, whose context has ended, and closes all.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.work.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	for key := range k.entries {
		k.remove(key)
	}
}

// lend opens the files once more. The state is opened by its name, not duplicated: a position
// belongs to all duplicates, and each clone reads from the start.
func (t *Template) lend() (*Template, error) {
	memory, err := reopen(t.Memory, os.O_RDWR) // as QEMU 7.2 opens it, even to map it privately
	if err != nil {
		return nil, err
	}
	state, err := reopen(t.State, os.O_RDONLY)
	if err != nil {
		return nil, errors.Join(err, memory.Close())
	}
	return &Template{Memory: memory, State: state}, nil
}

func reopen(file *os.File, mode int) (*os.File, error) {
	again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), mode, 0)
	if err != nil {
		return nil, fmt.Errorf("open a template: %w", err)
	}
	return again, nil
}
