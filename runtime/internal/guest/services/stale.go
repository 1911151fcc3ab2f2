// SPDX-License-Identifier: Apache-2.0

package services

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// flow is a connection as the kernel tracks it: where the client sent to, and who answers.
type flow struct {
	protocol     uint8
	sent, answer netip.AddrPort
}

// stale says whether the kernel must forget a flow, since its packets would still go
// where they went before the table changed. Only UDP's: a client of TCP notices, and
// connects again; and a connection to an endpoint that ends may be served to its end.
func (t Table) stale(f flow, before Table) bool {
	if f.protocol != unix.IPPROTO_UDP {
		return false
	}
	endpoints, known := t.ports[Frontend{f.sent.Addr(), f.protocol, f.sent.Port()}]
	if !known && !t.isService(f.sent.Addr()) && !before.isService(f.sent.Addr()) {
		return false
	}
	return !slices.Contains(endpoints, f.answer)
}
