// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"context"
	"errors"
	"testing"

	"hypernetes.org/runtime/internal/vmm"
)

// TestTheGuestTakesItsMemoryByAndBy: a clone is not used before it has all of it.
func TestTheGuestTakesItsMemoryByAndBy(t *testing.T) {
	monitor, qemu := newFake(t)
	m := &machine{monitor: monitor, plugged: 512 << 20, done: make(chan struct{})}
	asked := 0
	go func() {
		if command, id := qemu.hear(t); command == "qom-set" {
			qemu.say(t, `{"return": {}, "id": %d}`, id)
		}
		for _, size := range []int64{0, 128 << 20, 512 << 20} {
			if command, id := qemu.hear(t); command == "qom-get" {
				asked++
				qemu.say(t, `{"return": %d, "id": %d}`, size, id)
			}
		}
	}()
	if err := m.plugMemory(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.WaitMemory(t.Context()); err != nil || asked != 3 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestAGuestThatTakesNoMemoryIsNotWaitedForForever(t *testing.T) {
	monitor, qemu := newFake(t)
	m := &machine{monitor: monitor, plugged: 512 << 20, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, id := qemu.hear(t)
		cancel()
		qemu.say(t, `{"return": 0, "id": %d}`, id)
	}()
	if err := m.WaitMemory(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAMachineThatHasItsMemoryAsksForNone(t *testing.T) {
	m := &machine{plugged: missing(vmm.Spec{Memory: 1 << 30})} // no monitor: nothing is said to it
	if err := errors.Join(m.plugMemory(t.Context()), m.WaitMemory(t.Context())); err != nil {
		t.Error(err)
	}
}
