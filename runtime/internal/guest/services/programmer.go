// SPDX-License-Identifier: Apache-2.0

package services

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Programmer brings tables into the guest's kernel, one after another.
type Programmer struct {
	load func() error // the kernel's modules

	mu     sync.Mutex
	loaded bool
	now    Table
}

// NewProgrammer returns a programmer that calls load before it first needs the packet
// filter, which is when the first Service arrives.
func NewProgrammer(load func() error) *Programmer { return &Programmer{load: load} }

// Set replaces the table. If it fails, the former rules are in force and the call can be
// repeated.
func (p *Programmer) Set(table Table) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if table.Empty() && !p.loaded {
		return nil
	}
	if err := p.load(); err != nil {
		return fmt.Errorf("load the packet filter: %w", err)
	}
	p.loaded = true
	wanted := plan(table)
	if err := route(wanted.Refused); err != nil {
		return fmt.Errorf("route the addresses of Services: %w", err)
	}
	if err := replace(wanted); err != nil {
		return err
	}
	before := p.now
	p.now = table
	if err := forget(table, before); err != nil {
		return fmt.Errorf("forget the flows of former endpoints: %w", err)
	}
	return nil
}

// forget makes the kernel forget flows that a changed table would not lead where they go.
func forget(table, before Table) error {
	_, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, matcher{table, before})
	return err
}

type matcher struct{ table, before Table }

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (m matcher) MatchConntrackFlow(found *netlink.ConntrackFlow) bool {
	sent, ok := netip.AddrFromSlice(found.Forward.DstIP.To4())
	answer, both := netip.AddrFromSlice(found.Reverse.SrcIP.To4())
	if !ok || !both {
		return false
	}
	return m.table.stale(flow{
		protocol: found.Forward.Protocol,
		sent:     netip.AddrPortFrom(sent, found.Forward.DstPort), answer: netip.AddrPortFrom(answer, found.Reverse.SrcPort),
	}, m.before)
}
