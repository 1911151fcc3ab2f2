// SPDX-License-Identifier: Apache-2.0

package network

import (
	"testing"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

func TestARouteIsReadAsTheHostSaysIt(t *testing.T) {
	for name, test := range map[string]struct {
		route *guestv1.Route
		ok    bool
		gw    string
	}{
		"default":          {&guestv1.Route{Destination: "0.0.0.0/0", Gateway: "10.0.0.1"}, true, "10.0.0.1"},
		"on link":          {&guestv1.Route{Destination: "169.254.0.0/16"}, true, "<nil>"},
		"IPv6":             {&guestv1.Route{Destination: "::/0", Gateway: "fe80::1"}, true, "fe80::1"},
		"mixed families":   {&guestv1.Route{Destination: "0.0.0.0/0", Gateway: "fe80::1"}, false, ""},
		"no destination":   {&guestv1.Route{Gateway: "10.0.0.1"}, false, ""},
		"gateway's a name": {&guestv1.Route{Destination: "0.0.0.0/0", Gateway: "router"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			route, err := parseRoute(test.route)
			if (err == nil) != test.ok || (err == nil && route.Gw.String() != test.gw) {
				t.Errorf("got %v, %v", route, err)
			}
		})
	}
}

func TestOnlyAPodsSysctlsAreSet(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_unprivileged_port_start": "/proc/sys/net/ipv4/ip_unprivileged_port_start",
		"kernel.shmmax":                       "/proc/sys/kernel/shmmax",
		"kernel.panic":                        "",
		"vm.swappiness":                       "",
		"net.../../kernel/panic":              "",
		"net/../kernel.panic":                 "",
		"":                                    "",
	} {
		if got, err := sysctlPath(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q gives %q, %v", name, got, err)
		}
	}
}

func TestInterfaceCountersAreRead(t *testing.T) {
	got := parseDevices(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
broken: x
`)
	want := Counters{"eth0", 1, 2, 3, 4, 5, 6, 7, 8}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v", got)
	}
}
