// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Version of the channel that this build speaks, and of the calls on it: 2 sends volumes
// with the request for a container, 3 has streams to the ports of the pod, 4 has probes.
const Version = 4

const (
	helloPrefix = "hypernetes-guest "
	maxHello    = 64
)

// Hello is the first message of a guest.
type Hello struct {
	Version int
}

// WriteHello sends the hello line in one write.
func WriteHello(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s%d\n", helloPrefix, Version); err != nil {
		return fmt.Errorf("send the hello line: %w", err)
	}
	return nil
}

// ReadHello reads the hello line and nothing beyond it. It gives up after 64 bytes.
func ReadHello(r io.Reader) (Hello, error) {
	line := make([]byte, 0, maxHello)
	// Byte by byte: what follows the newline belongs to yamux.
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, one); err != nil {
			return Hello{}, fmt.Errorf("wait for the guest's hello: %w", err)
		}
		if one[0] == '\n' {
			break
		}
		if line = append(line, one[0]); len(line) == maxHello {
			return Hello{}, fmt.Errorf("%w: hello line too long", ErrMalformed)
		}
	}
	digits, found := strings.CutPrefix(string(line), helloPrefix)
	version, err := strconv.ParseUint(digits, 10, 8)
	if !found || err != nil {
		return Hello{}, fmt.Errorf("%w: hello %q", ErrMalformed, line)
	}
	return Hello{Version: int(version)}, nil
}
