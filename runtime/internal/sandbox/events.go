// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"sync"
	"time"

	"github.com/containerd/log"

	"hypernetes.org/runtime/internal/vmm"
)

// errStopped terminates a machine whose processors are stopped: its pod is dead, and
// must not appear to be alive.
var errStopped = errors.New("the monitor stopped the pod's machine")

// diskErrorInterval is how often disk errors are logged. The guest decides how
// many there are: it gets one for each request to a full file system.
const diskErrorInterval = 10 * time.Second

// diskErrors logs the first error of an interval and counts the others.
type diskErrors struct {
	mu       sync.Mutex
	next     time.Time
	unlogged int
}

// count reports whether to log an error now, and how many were not logged since the
// last one that was.
func (d *diskErrors) count(now time.Time) (unlogged int, logged bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Before(d.next) {
		d.unlogged++
		return 0, false
	}
	unlogged, d.unlogged = d.unlogged, 0
	d.next = now.Add(diskErrorInterval)
	return unlogged, true
}

// notify handles the monitor's events of the machine.
func (s *Sandbox) notify(event vmm.Event) {
	switch event.Kind {
	case vmm.EventStopped:
		s.Fail(errStopped)
	case vmm.EventDiskError:
		if unlogged, logged := s.diskErrors.count(time.Now()); logged {
			log.L.WithFields(log.Fields{"disk": event.Disk, "operation": event.Operation, "unlogged": unlogged}).
				Errorf("the host failed a disk request of the pod's machine: %s", printable(event.Reason))
		}
	}
}
