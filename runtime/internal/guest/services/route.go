// SPDX-License-Identifier: Apache-2.0

package services

import (
	"errors"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// route lets the kernel send to the addresses of Services also where the network has no
// gateway: it looks for a route before the packet filter translates, and once more after
// it. No packet leaves by these routes, since what is not translated is refused.
func route(addresses []netip.Prefix) error {
	for _, prefix := range addresses {
		_, err := netlink.RouteGet(prefix.Addr().AsSlice())
		if err == nil {
			continue
		}
		if !errors.Is(err, unix.ENETUNREACH) {
			return err
		}
		link, err := card()
		if err != nil || link == nil {
			return err
		}
		destination := &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), 32)}
		err = netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: destination, Scope: netlink.SCOPE_LINK})
		if err != nil {
			return err
		}
	}
	return nil
}

// card returns the pod's network card; nil if it has none.
func card() (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if link.Attrs().Flags&net.FlagLoopback == 0 && link.Attrs().Flags&net.FlagUp != 0 {
			return link, nil
		}
	}
	return nil, nil
}
