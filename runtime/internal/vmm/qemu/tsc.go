// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tscWindow is how long the counter is compared with the clock. The guest keeps
// time by the result, so an error becomes drift: 100 ms limits it to some parts
// per million.
const tscWindow = 100 * time.Millisecond

func timestamp() uint64

// TSCkHz measures the frequency of the host's time stamp counter, once per
// process. It takes 100 ms; keep the result (see Accelerator) where that matters.
var TSCkHz = sync.OnceValue(func() int {
	// The raw clock: the adjusted one runs at the rate that NTP sets.
	clock := func() int64 {
		var now unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &now) != nil {
			return 0
		}
		return now.Nano()
	}
	beginClock, begin := clock(), timestamp()
	time.Sleep(tscWindow)
	endClock, end := clock(), timestamp()
	if endClock <= beginClock || end <= begin {
		return 0
	}
	return int(float64(end-begin) * 1e6 / float64(endClock-beginClock))
})
