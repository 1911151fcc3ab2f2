// SPDX-License-Identifier: Apache-2.0

package services

import (
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestAServiceHasARouteWithAndWithoutAGateway(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace of its own")
	}
	for name, gateway := range map[string]string{"without": "", "with": "10.9.0.1"} {
		failed := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			failed <- routed(gateway)
		}()
		if err := <-failed; err != nil {
			t.Errorf("%s a gateway: %v", name, err)
		}
	}
}

// routed asks for a route to a Service in a new network namespace.
func routed(gateway string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer"}
	address, err := netlink.ParseAddr("10.9.0.5/24")
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return netlink.LinkAdd(link) },
		func() error { return netlink.AddrAdd(link, address) },
		func() error { return netlink.LinkSetUp(link) },
		func() error { // else the link is up, but has no carrier
			peer, err := netlink.LinkByName("peer")
			if err != nil {
				return err
			}
			return netlink.LinkSetUp(peer)
		},
		func() error {
			if gateway == "" {
				return nil
			}
			return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Index, Gw: netip.MustParseAddr(gateway).AsSlice()})
		},
		// Twice, since every table does.
		func() error { return route([]netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}) },
		func() error { return route([]netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}) },
		func() error {
			_, err := netlink.RouteGet(netip.MustParseAddr("10.100.1.2").AsSlice())
			return err
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
