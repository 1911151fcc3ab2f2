// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// yamux starts a goroutine to answer each ping. An honest guest sends one
	// every keepAlive, and the next only after the answer.
	maxPings   = 8
	pingPeriod = 10 * time.Second
)

// Of yamux's frames (its spec.md): version type flags(2) stream(4) length(4).
const (
	frameHeader = 12
	typeData    = 0
	typePing    = 2
	flagSYN     = 1
)

var errPings = errors.New("the guest floods the channel with pings")

// guard reads what the guest sends before yamux acts on it: not before open, and
// no more pings than maxPings in pingPeriod. A fault ends the session.
type guard struct {
	net.Conn
	opened chan struct{}
	once   sync.Once

	// Of the one reader.
	header []byte
	body   uint32 // remaining bytes of a data frame
	pings  int
	since  time.Time
	fault  error
}

func newGuard(conn net.Conn) *guard {
	return &guard{Conn: conn, opened: make(chan struct{}), header: make([]byte, 0, frameHeader)}
}

// open lets reads pass.
func (g *guard) open() { g.once.Do(func() { close(g.opened) }) }

func (g *guard) Close() error {
	err := g.Conn.Close()
	g.open()
	return err
}

func (g *guard) Read(p []byte) (int, error) {
	<-g.opened
	if g.fault != nil {
		return 0, g.fault // yamux may ignore one fault while it skips data
	}
	n, err := g.Conn.Read(p)
	if g.inspect(p[:n]); g.fault != nil {
		return 0, g.fault
	}
	return n, err
}

func (g *guard) inspect(read []byte) {
	for len(read) > 0 && g.fault == nil {
		if g.body > 0 {
			skip := min(uint64(g.body), uint64(len(read)))
			g.body -= uint32(skip)
			read = read[skip:]
			continue
		}
		take := min(frameHeader-len(g.header), len(read))
		g.header = append(g.header, read[:take]...)
		read = read[take:]
		if len(g.header) == frameHeader {
			g.frame(g.header[1], binary.BigEndian.Uint16(g.header[2:]), binary.BigEndian.Uint32(g.header[8:]))
			g.header = g.header[:0]
		}
	}
}

func (g *guard) frame(kind uint8, flags uint16, length uint32) {
	switch {
	case kind == typeData:
		g.body = length
	case kind == typePing && flags&flagSYN != 0:
		if now := time.Now(); now.Sub(g.since) > pingPeriod {
			g.pings, g.since = 0, now
		}
		if g.pings++; g.pings > maxPings {
			g.fault = errPings
		}
	}
}
