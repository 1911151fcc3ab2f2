// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestALogHasABurstAndARate(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	limited := LimitLog(&out).(*limitedLog)
	limited.now = func() time.Time { return now }
	write := func(count int) int {
		out.Reset()
		for range count {
			if n, err := limited.Write([]byte("line\n")); err != nil || n != 5 {
				t.Fatal(n, err)
			}
		}
		return strings.Count(out.String(), "line\n")
	}
	if got := write(100000); got != logBurst {
		t.Errorf("at once: %d", got)
	}
	now = now.Add(2 * time.Second)
	if got := write(100); got != 2*logRate || !strings.Contains(out.String(), "99500 messages were dropped") {
		t.Errorf("2 s later: %d, %s", got, out.String())
	}
	now = now.Add(24 * time.Hour)
	if got := write(2 * logBurst); got != logBurst {
		t.Errorf("a day later: %d", got)
	}
}
