// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/containerd/log"

	"hypernetes.org/runtime/internal/fakeguest"
)

// lines counts what is logged.
type lines struct {
	mu    sync.Mutex
	count int
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// A guest sends answers to calls that were never made, as fast as it can.
func TestAGuestThatFloodsEndsItsMachineAndNotTheLog(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	logged := &lines{}
	before := log.L.Logger.Out
	log.L.Logger.SetOutput(logged)
	defer log.L.Logger.SetOutput(before)
	frame := binary.BigEndian.AppendUint32(nil, 0)     // length
	frame = binary.BigEndian.AppendUint32(frame, 4711) // stream
	frame = bytes.Repeat(append(frame, 2, 0), 100)     // response, no flags
	for deadline := time.Now().Add(2 * time.Second); f.guest.Say(frame) == nil && time.Now().Before(deadline); {
	}
	select {
	case <-f.guest.Done():
	case <-time.After(10 * time.Second): // its stream ends a moment before it
		t.Error("the machine lives on")
	}
	logged.mu.Lock()
	defer logged.mu.Unlock()
	if logged.count > 10 {
		t.Errorf("it made the log %d lines longer", logged.count)
	}
}
