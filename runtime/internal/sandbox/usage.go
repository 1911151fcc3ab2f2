// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// usagePeriod is how long a pod may write beyond the bound. A look costs one system
	// call for each scratch disk.
	usagePeriod = time.Second
	// usageRatio times the pod's limits is the bound of all its scratch disks together.
	// Up to there it is the kubelet that acts, which measures only from time to time.
	usageRatio = 2
)

// watchUsage bounds what a pod takes of its node: each scratch disk may grow to the
// pod's whole limit, and it may have many. It ends with the machine.
func (s *Sandbox) watchUsage() {
	ticker := time.NewTicker(usagePeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.checkUsage()
		case <-s.live.Done():
			return
		}
	}
}

// checkUsage ends a machine that writes faster than the kubelet evicts its pod. QEMU's
// throttling is no alternative: it counts what the guest discards as written, so that a
// pod that deletes its files would not get below its limit.
func (s *Sandbox) checkUsage() {
	if used, bound := s.occupied(), usageRatio*s.scratchSize(); used > bound {
		s.Fail(fmt.Errorf("the pod's scratch disks occupy %d MiB, more than %d times what its limits of ephemeral storage allow",
			used>>20, usageRatio))
	}
}

// occupied returns the bytes that the machine's scratch disks take on the host.
func (s *Sandbox) occupied() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum int64
	for _, found := range s.scratch {
		var stat unix.Stat_t
		if unix.Fstat(int(found.file.Fd()), &stat) == nil {
			sum += stat.Blocks * 512
		}
	}
	return sum
}
