// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// Of ttrpc's frames (its PROTOCOL.md): length(4) stream(4) type(1) flags(1).
const (
	frameHeader  = 10
	typeRequest  = 1
	typeResponse = 2
)

const (
	// The largest answer is a GetFile's, with 1 MiB of a file.
	maxAnswer = 1<<20 + 64<<10
	// A guest that has left so many calls without an answer answers none.
	maxUnanswered = 4096
)

// answers checks what a guest sends on the stream of calls before ttrpc acts on it:
// one response to each call and nothing else, since all calls are unary. ttrpc would
// log each other frame, which is how a guest could fill the log of its node.
type answers struct {
	sent, received frames

	mu   sync.Mutex
	open map[uint32]struct{} // calls without an answer
}

// call inspects what the host writes.
func (a *answers) call(written []byte) error {
	return a.sent.scan(written, func(_, stream uint32, kind uint8) error {
		if kind != typeRequest {
			return nil
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.open == nil {
			a.open = map[uint32]struct{}{}
		}
		a.open[stream] = struct{}{}
		if len(a.open) > maxUnanswered {
			return fmt.Errorf("the guest left %d calls without an answer", maxUnanswered)
		}
		return nil
	})
}

// answer inspects what the guest has sent.
func (a *answers) answer(read []byte) error {
	return a.received.scan(read, func(length, stream uint32, kind uint8) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, ok := a.open[stream]; !ok || kind != typeResponse {
			return fmt.Errorf("the guest sent a frame of type %d that nobody asked for", kind)
		}
		if length > maxAnswer {
			return fmt.Errorf("the guest sent an answer of %d bytes", length)
		}
		delete(a.open, stream)
		return nil
	})
}

// frames finds the headers in one direction of a connection.
type frames struct {
	header []byte
	body   uint32 // remaining bytes of the current frame
}

func (f *frames) scan(bytes []byte, found func(length, stream uint32, kind uint8) error) error {
	for len(bytes) > 0 {
		if f.body > 0 {
			skip := min(uint64(f.body), uint64(len(bytes)))
			f.body -= uint32(skip)
			bytes = bytes[skip:]
			continue
		}
		take := min(frameHeader-len(f.header), len(bytes))
		f.header = append(f.header, bytes[:take]...)
		bytes = bytes[take:]
		if len(f.header) < frameHeader {
			continue
		}
		length, stream := binary.BigEndian.Uint32(f.header), binary.BigEndian.Uint32(f.header[4:])
		if err := found(length, stream, f.header[8]); err != nil {
			return err
		}
		f.body, f.header = length, f.header[:0]
	}
	return nil
}
