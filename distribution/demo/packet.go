// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	// allProtocols is ETH_P_ALL of linux/if_ether.h.
	allProtocols = 0x0003
	// outgoing is PACKET_OUTGOING of linux/if_packet.h: a frame sent by this machine.
	outgoing = 4
	// poll is how often a waiting reader checks whether it must stop.
	poll = 100 * time.Millisecond
)

// Result is what forge and count print, as one line of JSON.
type Result struct {
	Frames int `json:"frames"`
}

// packetSocket opens a socket for whole frames of one interface; it needs CAP_NET_RAW.
func packetSocket(device *net.Interface) (int, error) {
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, allProtocols))
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, int(protocol))
	if err != nil {
		return -1, fmt.Errorf("open a packet socket: %w", err)
	}
	address := &syscall.SockaddrLinklayer{Protocol: protocol, Ifindex: device.Index}
	if err := syscall.Bind(socket, address); err != nil {
		syscall.Close(socket)
		return -1, fmt.Errorf("bind to %s: %w", device.Name, err)
	}
	return socket, nil
}

func forge(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("forge", flag.ExitOnError)
	name := flags.String("interface", "eth0", "where to send")
	mac := flags.String("mac", "", "source hardware address (default: the interface's own)")
	ip := flags.String("ip", "", "source IPv4 address (default: the interface's own)")
	toMAC := flags.String("to-mac", "ff:ff:ff:ff:ff:ff", "destination hardware address")
	toIP := flags.String("to-ip", "255.255.255.255", "destination IPv4 address")
	port := flags.Uint("port", 9, "source and destination UDP port")
	kind := flags.String("kind", "udp", "udp, or arp to announce the source address as one's own")
	token := flags.String("token", "forged", "payload, by which count knows the frames")
	number := flags.Int("count", 1, "how many frames")
	interval := flags.Duration("interval", 10*time.Millisecond, "time between two frames")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	device, err := net.InterfaceByName(*name)
	if err != nil {
		return err
	}
	from, err := source(device, *mac, *ip, uint16(*port))
	if err != nil {
		return err
	}
	to, err := endpoint(*toMAC, *toIP, uint16(*port))
	if err != nil {
		return err
	}
	build, ok := map[string]func(Endpoint, Endpoint, []byte) []byte{"udp": datagramFrame, "arp": announcementFrame}[*kind]
	if !ok {
		return fmt.Errorf("unknown frame kind %q", *kind)
	}
	socket, err := packetSocket(device)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	sent := 0
	for ; sent < *number && ctx.Err() == nil; sent++ {
		if _, err := syscall.Write(socket, build(from, to, []byte(*token))); err != nil {
			return fmt.Errorf("frame %d: %w", sent+1, err)
		}
		time.Sleep(*interval)
	}
	return json.NewEncoder(os.Stdout).Encode(Result{Frames: sent})
}

// source returns the frames' origin: as requested, or else the interface's own.
func source(device *net.Interface, mac, ip string, port uint16) (Endpoint, error) {
	if mac == "" {
		mac = device.HardwareAddr.String()
	}
	if ip == "" {
		own, err := device.Addrs()
		if err != nil {
			return Endpoint{}, err
		}
		for _, address := range own {
			if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil {
				ip = network.IP.String()
				break
			}
		}
	}
	return endpoint(mac, ip, port)
}

func endpoint(mac, ip string, port uint16) (Endpoint, error) {
	hardware, err := net.ParseMAC(mac)
	if err != nil {
		return Endpoint{}, err
	}
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return Endpoint{}, err
	}
	if len(hardware) != 6 || !address.Is4() {
		return Endpoint{}, errors.New("only Ethernet and IPv4 addresses are supported")
	}
	return Endpoint{Hardware: hardware, Address: address, Port: port}, nil
}

func count(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("count", flag.ExitOnError)
	name := flags.String("interface", "eth0", "where to listen")
	token := flags.String("token", "forged", "what a frame must contain to be counted")
	duration := flags.Duration("duration", 10*time.Second, "how long to listen")
	until := flags.Int("until", 0, "end earlier, at this number of frames (0: never)")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	device, err := net.InterfaceByName(*name)
	if err != nil {
		return err
	}
	socket, err := packetSocket(device)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	wait := syscall.NsecToTimeval(poll.Nanoseconds())
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait); err != nil {
		return fmt.Errorf("set the socket's timeout: %w", err)
	}
	// A test starts sending once it has seen this line.
	fmt.Fprintln(os.Stderr, "listening")
	ctx, cancel := context.WithTimeout(ctx, *duration)
	defer cancel()
	seen, err := countFrames(ctx, socket, []byte(*token), *until)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(Result{Frames: seen})
}

// countFrames counts arriving frames that contain the token, to any address.
func countFrames(ctx context.Context, socket int, token []byte, until int) (int, error) {
	buffer := make([]byte, 65536)
	seen := 0
	for ctx.Err() == nil && (until == 0 || seen < until) {
		size, from, err := syscall.Recvfrom(socket, buffer, 0)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return seen, fmt.Errorf("receive: %w", err)
		}
		link, ok := from.(*syscall.SockaddrLinklayer)
		if ok && link.Pkttype != outgoing && bytes.Contains(buffer[:size], token) {
			seen++
		}
	}
	return seen, nil
}
