// SPDX-License-Identifier: Apache-2.0

// Package forward connects streams of the host to ports of the pod's localhost.
package forward

import (
	"net"
	"strconv"
	"time"

	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/relay"
)

const (
	dialTimeout = 10 * time.Second // less than the host waits for the answer
	// maxOpen is more than the host opens; connections that it has left may still end.
	maxOpen = 256
)

var open = make(chan struct{}, maxOpen)

// Dial connects to a port as the host asks. hyper-guest runs in the network namespace
// that the pod's containers share.
func Dial(port uint16) (channel.Status, func(net.Conn)) {
	select {
	case open <- struct{}{}:
	default:
		return channel.StatusBusy, nil
	}
	socket, err := dial(port)
	if err != nil {
		<-open
		return channel.StatusUnheard, nil
	}
	return channel.StatusAccepted, func(stream net.Conn) {
		defer func() { <-open }()
		relay.Run(socket, stream)
	}
}

// dial tries IPv4 first, as containerd does on a node where pods are processes
// (internal/cri/server/sandbox_portforward_linux.go).
func dial(port uint16) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialTimeout / 2}
	conn, err := dialer.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		conn, err = dialer.Dial("tcp6", net.JoinHostPort("::1", strconv.Itoa(int(port))))
	}
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}
