// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// execs is some thousands when run by hand: go test -tags containerd -run Unread ./internal/integration -args -execs 2000
var execs = flag.Int("execs", 48, "how many sessions TestExecsWithUnreadInputLeakNothing has at least")

const (
	sessionsAtATime = 8
	// execsBetweenLooks is how many sessions there are before the next line of the log, so that a leak shows as a trend.
	execsBetweenLooks = 200
	// longRunLimit is when a session of a long run counts as hung, which may go on for an hour beside other work.
	longRunLimit = 3 * time.Minute
	// grownMemory is what the shim may use more of, in KiB: its heap is collected when it has doubled.
	grownMemory = 6 << 10
	// grownFiles is what the guest may have open in addition, beside what its own programs open now and then.
	grownFiles = 16
)

// footprint is what sessions could leave behind.
type footprint struct {
	shimFiles, shimThreads, shimKiB, guestProcesses, guestFiles, guestKiB int
}

func (p *pod) footprint(id string) footprint {
	p.t.Helper()
	found := footprint{shimKiB: p.memory("containerd-shim-hyper")}
	for pid := range processes(p.t, "containerd-shim-hyper") {
		found.shimFiles += entries(p.t, "/proc/"+pid+"/fd")
		found.shimThreads += entries(p.t, "/proc/"+pid+"/task")
	}
	out, _, code := p.exec(id, "sh", "-c",
		`awk '{print $1}' /proc/sys/fs/file-nr; ls /proc | grep -c '^[0-9]'; awk '/MemAvailable/ {print $2}' /proc/meminfo`)
	if _, err := fmt.Sscan(out, &found.guestFiles, &found.guestProcesses, &found.guestKiB); err != nil || code != 0 {
		p.t.Fatalf("%q, %d, %v", out, code, err)
	}
	return found
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	found, err := os.ReadDir(dir)
	must(t, err)
	return len(found)
}

// sessions has a number of sessions, some at a time, as kubectl cp of many files to where they cannot be written has:
// each program reads a byte of the megabyte it is sent.
func (p *pod) sessions(id string, count int) {
	p.t.Helper()
	for done := 0; done < count; done += sessionsAtATime {
		limit := sessionLimit
		if *execs > execsBetweenLooks {
			limit = longRunLimit
		}
		var open [sessionsAtATime]*session
		for number := range open {
			open[number] = p.attach(id, false, "sh", "-c", "head -c 1 >/dev/null; echo read")
			must(p.t, open[number].conn.SetDeadline(time.Now().Add(limit)))
			go open[number].sendMegabyte()
		}
		for _, s := range open {
			s.endsWithin(limit)
			if s.stream(1) != "read\n" || !strings.Contains(s.stream(3), "Success") {
				p.t.Errorf("stdout %q, status %q", s.stream(1), s.stream(3))
			}
			_ = s.conn.Close()
		}
	}
}

// sendMegabyte sends more than all buffers hold, until the session is over.
func (s *session) sendMegabyte() {
	for range 32 {
		if websocket.Message.Send(s.conn, append([]byte{stdinChannel}, make([]byte, 32<<10)...)) != nil {
			return
		}
	}
}

func TestExecsWithUnreadInputLeakNothing(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	id := p.run("main", "sleep 100000", nil)
	p.sessions(id, 2*sessionsAtATime) // so that threads and buffers are there
	before := p.footprint(id)
	started := time.Now()
	for done := 0; done < *execs; {
		part := min(execsBetweenLooks, *execs-done)
		p.sessions(id, part)
		done += part
		t.Logf("%d sessions in %s: %+v", done, time.Since(started).Round(time.Second), p.footprint(id))
	}
	var after footprint
	eventually(t, "what the sessions held is released", 20*time.Second, func() bool {
		after = p.footprint(id)
		return after.shimFiles <= before.shimFiles && after.guestProcesses <= before.guestProcesses
	})
	t.Logf("before %+v, after %+v", before, after)
	if after.shimThreads > before.shimThreads+sessionsAtATime {
		t.Errorf("the shim had %d threads and has %d", before.shimThreads, after.shimThreads)
	}
	if after.shimKiB > before.shimKiB+grownMemory {
		t.Errorf("the shim used %d KiB and uses %d", before.shimKiB, after.shimKiB)
	}
	if after.guestFiles > before.guestFiles+grownFiles {
		t.Errorf("the guest had %d files open and has %d", before.guestFiles, after.guestFiles)
	}
	fifos, err := filepath.Glob("/run/containerd/io.containerd.grpc.v1.cri/containers/*/io/*/*")
	must(t, err)
	if len(fifos) > 2 { // those of the container
		t.Errorf("left behind: %s", fifos)
	}
	p.remove()
	nothingLeft(t)
}
