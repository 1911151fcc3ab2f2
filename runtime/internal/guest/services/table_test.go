// SPDX-License-Identifier: Apache-2.0

package services

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

func port(address string, protocol, number uint32, endpoints ...string) *guestv1.ServicePort {
	made := &guestv1.ServicePort{Address: address, Protocol: protocol, Port: number}
	for _, text := range endpoints {
		at := netip.MustParseAddrPort(text)
		made.Endpoints = append(made.Endpoints, &guestv1.ServiceEndpoint{Address: at.Addr().String(), Port: uint32(at.Port())})
	}
	return made
}

func parsed(t *testing.T, ranges []string, ports ...*guestv1.ServicePort) Table {
	t.Helper()
	table, err := Parse(&guestv1.Services{Ranges: ranges, Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func frontend(text string, protocol uint8) Frontend {
	at := netip.MustParseAddrPort(text)
	return Frontend{at.Addr(), protocol, at.Port()}
}

func TestATableThatCannotBeIsRefused(t *testing.T) {
	many := &guestv1.Services{}
	for range maxPorts + 1 {
		many.Ports = append(many.Ports, port("10.96.0.5", unix.IPPROTO_TCP, 80))
	}
	crowded := &guestv1.Services{Ports: []*guestv1.ServicePort{port("10.96.0.5", unix.IPPROTO_TCP, 80)}}
	for i := range maxEndpoints + 1 {
		crowded.Ports[0].Endpoints = append(crowded.Ports[0].Endpoints,
			&guestv1.ServiceEndpoint{Address: netip.AddrFrom4([4]byte{10, 1, byte(i / 256 % 256), byte(i)}).String(), Port: uint32(i/65536) + 1})
	}
	for name, sent := range map[string]*guestv1.Services{
		"no address":        {Ports: []*guestv1.ServicePort{port("", unix.IPPROTO_TCP, 80)}},
		"IPv6":              {Ports: []*guestv1.ServicePort{port("fd00::1", unix.IPPROTO_TCP, 80)}},
		"port 0":            {Ports: []*guestv1.ServicePort{port("10.96.0.5", unix.IPPROTO_TCP, 0)}},
		"port 65536":        {Ports: []*guestv1.ServicePort{port("10.96.0.5", unix.IPPROTO_TCP, 65536)}},
		"ICMP":              {Ports: []*guestv1.ServicePort{port("10.96.0.5", unix.IPPROTO_ICMP, 80)}},
		"loopback":          {Ports: []*guestv1.ServicePort{port("10.96.0.5", unix.IPPROTO_TCP, 80, "127.0.0.1:80")}},
		"twice":             {Ports: []*guestv1.ServicePort{port("10.96.0.5", unix.IPPROTO_TCP, 80), port("10.96.0.5", unix.IPPROTO_TCP, 80)}},
		"a range of none":   {Ranges: []string{"10.96.0.0"}},
		"a range of IPv6":   {Ranges: []string{"fd00::/108"}},
		"too many ports":    many,
		"too many endpoint": crowded,
	} {
		if _, err := Parse(sent); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThePlan(t *testing.T) {
	web, dns := frontend("10.96.0.9:80", unix.IPPROTO_TCP), frontend("10.96.0.9:53", unix.IPPROTO_UDP)
	for name, test := range map[string]struct {
		table Table
		want  Plan
	}{
		"nothing": {parsed(t, nil), Plan{}},
		"endpoints are numbered in one order, once each": {
			parsed(t, []string{"10.96.0.1/16"}, port("10.96.0.9", unix.IPPROTO_TCP, 80, "10.0.0.7:81", "10.0.0.6:80", "10.0.0.7:81")),
			Plan{
				Counts:  []int{2},
				Sizes:   []Size{{web, 2}},
				Targets: []Target{{web, 0, netip.MustParseAddrPort("10.0.0.6:80")}, {web, 1, netip.MustParseAddrPort("10.0.0.7:81")}},
				Refused: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")},
			},
		},
		"without endpoints a Service is refused": {
			parsed(t, nil, port("10.96.0.9", unix.IPPROTO_UDP, 53)),
			Plan{Refused: []netip.Prefix{netip.MustParsePrefix("10.96.0.9/32")}},
		},
		"protocols are apart": {
			parsed(t, nil, port("10.96.0.9", unix.IPPROTO_TCP, 80, "10.0.0.6:80"), port("10.96.0.9", unix.IPPROTO_UDP, 53, "10.0.0.6:53")),
			Plan{
				Counts:  []int{1},
				Sizes:   []Size{{web, 1}, {dns, 1}},
				Targets: []Target{{web, 0, netip.MustParseAddrPort("10.0.0.6:80")}, {dns, 0, netip.MustParseAddrPort("10.0.0.6:53")}},
				Refused: []netip.Prefix{netip.MustParsePrefix("10.96.0.9/32")},
			},
		},
	} {
		if got := plan(test.table); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, test.want)
		}
	}
}

func TestAThousandServicesNeedNoMoreChainsThanOne(t *testing.T) {
	sent := &guestv1.Services{}
	for i := range 1000 {
		address := netip.AddrFrom4([4]byte{10, 96, byte(i / 256), byte(i)}).String()
		sent.Ports = append(sent.Ports, port(address, unix.IPPROTO_TCP, 80, "10.0.0.6:80", "10.0.0.7:80"))
	}
	table, err := Parse(sent)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan(table); len(got.Counts) != 1 || len(got.Targets) != 2000 {
		t.Errorf("%d chains, %d targets", len(got.Counts), len(got.Targets))
	}
}

func TestWhichFlowsAreForgotten(t *testing.T) {
	before := parsed(t, nil, port("10.97.0.1", unix.IPPROTO_UDP, 53, "10.0.0.6:53"))
	table := parsed(t, []string{"10.96.0.0/16"}, port("10.96.0.9", unix.IPPROTO_UDP, 53, "10.0.0.6:53"))
	at := netip.MustParseAddrPort
	for name, test := range map[string]struct {
		flow flow
		want bool
	}{
		"its endpoint stays":              {flow{unix.IPPROTO_UDP, at("10.96.0.9:53"), at("10.0.0.6:53")}, false},
		"its endpoint is gone":            {flow{unix.IPPROTO_UDP, at("10.96.0.9:53"), at("10.0.0.7:53")}, true},
		"it began before the Service did": {flow{unix.IPPROTO_UDP, at("10.96.0.9:53"), at("10.96.0.9:53")}, true},
		"its Service is gone":             {flow{unix.IPPROTO_UDP, at("10.96.0.8:53"), at("10.0.0.6:53")}, true},
		"and was in no range":             {flow{unix.IPPROTO_UDP, at("10.97.0.1:53"), at("10.0.0.6:53")}, true},
		"it is TCP's":                     {flow{unix.IPPROTO_TCP, at("10.96.0.9:53"), at("10.0.0.7:53")}, false},
		"it is not to a Service":          {flow{unix.IPPROTO_UDP, at("10.0.0.7:53"), at("10.0.0.7:53")}, false},
	} {
		if got := table.stale(test.flow, before); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
