// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestAGuestThatReadsNoCallsIsGivenUp(t *testing.T) {
	host, guest := net.Pipe()
	defer host.Close()
	defer guest.Close()
	failed := make(chan error, 1)
	conn := &callConn{Conn: host, limit: 10 * time.Millisecond, fail: func(err error) { failed <- err }}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write([]byte("call"))
		written <- err
	}()
	select {
	case err := <-written:
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(<-failed, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the write hangs")
	}
}
