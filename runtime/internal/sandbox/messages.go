// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/log"
)

// What the monitor prints is logged up to these bounds: a guest may be able to
// make it print much.
const (
	maxMessages      = 64 << 10
	maxMessageLength = 1 << 10
	// Of every clone: QEMU looks for the size in /sys, which is not in its jail, although it is given
	// which one to use.
	harmless = "Could not detect THP size"
)

// newMessages returns a file for the monitor's standard error. The monitor
// inherits it; the caller closes its own. The reader ends with the monitor.
func newMessages() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create a pipe for the monitor's messages: %w", err)
	}
	go func() {
		defer r.Close()
		logMessages(r, func(line string) { log.L.WithField("component", "qemu").Warn(line) })
		// Output beyond the bound is read and discarded, so that the monitor does not block.
		_, _ = io.Copy(io.Discard, r)
	}()
	return w, nil
}

func logMessages(r io.Reader, say func(string)) {
	lines := bufio.NewScanner(io.LimitReader(r, maxMessages))
	lines.Buffer(make([]byte, 0, 256), maxMessageLength)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), harmless) {
			say(lines.Text())
		}
	}
}
