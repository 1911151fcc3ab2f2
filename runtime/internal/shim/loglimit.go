// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A shim logs some 20 lines in the life of a pod, and a few for each container. What
// is more is the work of its guest, whose log is the node's.
const (
	logBurst = 500
	logRate  = 5 // lines per second
)

// LimitLog returns a writer that drops lines beyond a burst and a rate, and says how
// many. One Write is one line.
func LimitLog(out io.Writer) io.Writer {
	return &limitedLog{out: out, now: time.Now, left: logBurst}
}

type limitedLog struct {
	out io.Writer
	now func() time.Time

	mu      sync.Mutex
	left    float64 // lines that may be written now
	last    time.Time
	dropped int
}

func (l *limitedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !l.last.IsZero() {
		l.left = min(logBurst, l.left+logRate*now.Sub(l.last).Seconds())
	}
	l.last = now
	if l.left < 1 {
		l.dropped++
		return len(line), nil
	}
	l.left--
	if l.dropped > 0 {
		if _, err := fmt.Fprintf(l.out, "time=%q level=warning msg=\"%d messages were dropped: more than %d per second\"\n",
			now.UTC().Format(time.RFC3339), l.dropped, logRate); err != nil {
			return 0, err
		}
		l.dropped = 0
	}
	return l.out.Write(line)
}
