// SPDX-License-Identifier: Apache-2.0

// Package services lets the pod reach Services by their addresses: as kube-proxy does on
// a node, but inside the pod's own machine, where all clients are the pod's processes.
// Everything that is decided is in Table and plan; Programmer only carries it out.
package services

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

// What a table holds at most, see Services in guest.proto.
const (
	maxRanges    = 16
	maxPorts     = 4096
	maxEndpoints = 65536
)

// ErrInvalid is returned for a table that cannot be.
var ErrInvalid = errors.New("invalid table of Services")

// Frontend is where clients connect to.
type Frontend struct {
	Address  netip.Addr
	Protocol uint8
	Port     uint16
}

func (f Frontend) compare(other Frontend) int {
	return cmp.Or(f.Address.Compare(other.Address), cmp.Compare(f.Protocol, other.Protocol), cmp.Compare(f.Port, other.Port))
}

// Table is all Services of the pod's network.
type Table struct {
	ranges []netip.Prefix
	ports  map[Frontend][]netip.AddrPort
}

// Parse checks a table that the host sent. Repeated endpoints count once; a repeated
// port is an error.
func Parse(sent *guestv1.Services) (Table, error) {
	table := Table{ports: map[Frontend][]netip.AddrPort{}}
	if len(sent.GetRanges()) > maxRanges || len(sent.GetPorts()) > maxPorts {
		return table, fmt.Errorf("%w: %d ranges and %d ports, where %d and %d are the most",
			ErrInvalid, len(sent.GetRanges()), len(sent.GetPorts()), maxRanges, maxPorts)
	}
	for _, text := range sent.GetRanges() {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || !prefix.Addr().Is4() {
			return table, fmt.Errorf("%w: range %q is not an IPv4 prefix", ErrInvalid, text)
		}
		table.ranges = append(table.ranges, prefix.Masked())
	}
	count := 0
	for _, port := range sent.GetPorts() {
		frontend, endpoints, err := parsePort(port)
		if err != nil {
			return table, err
		}
		if _, known := table.ports[frontend]; known {
			return table, fmt.Errorf("%w: %v is there twice", ErrInvalid, frontend)
		}
		if count += len(endpoints); count > maxEndpoints {
			return table, fmt.Errorf("%w: more than %d endpoints", ErrInvalid, maxEndpoints)
		}
		table.ports[frontend] = endpoints
	}
	return table, nil
}

func parsePort(sent *guestv1.ServicePort) (Frontend, []netip.AddrPort, error) {
	at, err := parseAddress(sent.GetAddress(), sent.GetPort())
	if err != nil {
		return Frontend{}, nil, err
	}
	protocol := sent.GetProtocol()
	if protocol != unix.IPPROTO_TCP && protocol != unix.IPPROTO_UDP {
		return Frontend{}, nil, fmt.Errorf("%w: protocol %d is neither TCP nor UDP", ErrInvalid, protocol)
	}
	endpoints := make([]netip.AddrPort, 0, len(sent.GetEndpoints()))
	for _, endpoint := range sent.GetEndpoints() {
		address, err := parseAddress(endpoint.GetAddress(), endpoint.GetPort())
		if err != nil {
			return Frontend{}, nil, err
		}
		endpoints = append(endpoints, address)
	}
	slices.SortFunc(endpoints, netip.AddrPort.Compare)
	return Frontend{at.Addr(), uint8(protocol), at.Port()}, slices.Compact(endpoints), nil
}

func parseAddress(text string, port uint32) (netip.AddrPort, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() || address.IsUnspecified() || address.IsLoopback() || address.IsMulticast() {
		return netip.AddrPort{}, fmt.Errorf("%w: %q is not an IPv4 address of a Service or a pod", ErrInvalid, text)
	}
	if port == 0 || port > 65535 {
		return netip.AddrPort{}, fmt.Errorf("%w: port %d", ErrInvalid, port)
	}
	return netip.AddrPortFrom(address, uint16(port)), nil
}

// Empty says whether the pod needs no rules.
func (t Table) Empty() bool { return len(t.ports) == 0 }

// isService says whether an address belongs to Services.
func (t Table) isService(address netip.Addr) bool {
	if slices.ContainsFunc(t.ranges, func(prefix netip.Prefix) bool { return prefix.Contains(address) }) {
		return true
	}
	for frontend := range t.ports {
		if frontend.Address == address {
			return true
		}
	}
	return false
}
