// SPDX-License-Identifier: Apache-2.0

// Package network configures the guest's interfaces as the host asks.
package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/channel"
)

// nicTimeout bounds the wait for a NIC that is still being probed.
const nicTimeout = 5 * time.Second

// Configure brings up lo and every named interface with its addresses and routes.
func Configure(interfaces []*guestv1.Interface) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	for _, wanted := range interfaces {
		if err := configure(wanted); err != nil {
			return fmt.Errorf("interface %s: %w", wanted.GetMac(), err)
		}
	}
	return nil
}

func configure(wanted *guestv1.Interface) error {
	mac, err := net.ParseMAC(wanted.GetMac())
	if err != nil {
		return err
	}
	link, err := find(mac)
	if err != nil {
		return err
	}
	if !bytes.Equal(link.Attrs().HardwareAddr, mac) {
		if err := netlink.LinkSetHardwareAddr(link, mac); err != nil {
			return fmt.Errorf("set its address: %w", err)
		}
	}
	name := wanted.GetName()
	if name == "" {
		name = "eth0"
	}
	if link.Attrs().Name != name {
		if err := netlink.LinkSetName(link, name); err != nil {
			return fmt.Errorf("rename it to %s: %w", name, err)
		}
	}
	if mtu := int(wanted.GetMtu()); mtu != 0 && mtu != link.Attrs().MTU {
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			return fmt.Errorf("set its MTU to %d: %w", mtu, err)
		}
	}
	for _, cidr := range wanted.GetAddresses() {
		address, err := netlink.ParseAddr(cidr)
		if err != nil {
			return err
		}
		if err := netlink.AddrReplace(link, address); err != nil {
			return fmt.Errorf("add %s: %w", cidr, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring it up: %w", err)
	}
	for _, wantedRoute := range wanted.GetRoutes() {
		route, err := parseRoute(wantedRoute)
		if err != nil {
			return err
		}
		route.LinkIndex = link.Attrs().Index
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("add the route to %s: %w", wantedRoute.GetDestination(), err)
		}
	}
	return nil
}

// find waits for the network card. A clone's still has the address of its template.
func find(mac net.HardwareAddr) (netlink.Link, error) {
	for deadline := time.Now().Add(nicTimeout); ; time.Sleep(2 * time.Millisecond) {
		links, err := netlink.LinkList()
		if err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		for _, link := range links {
			address := link.Attrs().HardwareAddr
			if bytes.Equal(address, mac) || address.String() == channel.TemplateMAC {
				return link, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, errors.New("the machine has no such network card")
		}
	}
}

func parseRoute(wanted *guestv1.Route) (*netlink.Route, error) {
	_, destination, err := net.ParseCIDR(wanted.GetDestination())
	if err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	route := &netlink.Route{Dst: destination, Scope: netlink.SCOPE_LINK}
	if wanted.GetGateway() != "" {
		route.Scope = netlink.SCOPE_UNIVERSE
		if route.Gw = net.ParseIP(wanted.GetGateway()); route.Gw == nil {
			return nil, fmt.Errorf("route to %s: %q is not an IP address", destination, wanted.GetGateway())
		}
		if (route.Gw.To4() == nil) != (destination.IP.To4() == nil) {
			return nil, fmt.Errorf("route to %s: gateway %s is of the other family", destination, route.Gw)
		}
	}
	return route, nil
}
