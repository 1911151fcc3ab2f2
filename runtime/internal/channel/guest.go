// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/yamux"
)

// Handler serves one accepted stream and owns it. Accept decides on the header:
// StatusAccepted and a function that serves, or another status.
type Handler interface {
	Accept(header Header) (Status, func(net.Conn))
}

// Guest is the guest's end.
type Guest struct {
	session *yamux.Session
	handler Handler
}

// NewGuest sends the hello line and starts the session on conn.
func NewGuest(conn net.Conn, handler Handler) (*Guest, error) {
	if err := WriteHello(conn); err != nil {
		return nil, err
	}
	session, err := yamux.Server(conn, yamuxConfig(256))
	if err != nil {
		return nil, fmt.Errorf("start the channel: %w", err)
	}
	return &Guest{session: session, handler: handler}, nil
}

// Serve answers streams until the session ends, and returns the reason.
func (g *Guest) Serve() error {
	for {
		stream, err := g.session.AcceptStream()
		if err != nil {
			return fmt.Errorf("the channel ended: %w", err)
		}
		go g.serve(stream)
	}
}

// Close ends the session.
func (g *Guest) Close() error { return g.session.Close() }

func (g *Guest) serve(stream net.Conn) {
	err := func() error {
		if err := stream.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
			return err
		}
		header, err := ReadHeader(stream)
		if err != nil {
			return err
		}
		status, serve := g.handler.Accept(header)
		if _, err := stream.Write([]byte{byte(status)}); err != nil {
			// The host is gone; serving a dead stream releases what Accept took.
			if serve != nil {
				serve(stream)
			}
			return err
		}
		if status != StatusAccepted {
			return errors.New("refused")
		}
		if err := stream.SetDeadline(time.Time{}); err != nil {
			return err
		}
		serve(stream)
		return nil
	}()
	if err != nil {
		_ = stream.Close() // nothing to add to a refusal
	}
}
