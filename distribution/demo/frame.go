// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Endpoint is one side of a frame.
type Endpoint struct {
	Hardware net.HardwareAddr
	Address  netip.Addr
	Port     uint16
}

const (
	etherTypeIPv4 = 0x0800
	etherTypeARP  = 0x0806
	protocolUDP   = 17
)

// datagramFrame builds an Ethernet frame with a UDP datagram over IPv4. The UDP
// checksum is left out, which IPv4 allows (RFC 768).
func datagramFrame(from, to Endpoint, payload []byte) []byte {
	frame := ethernet(from.Hardware, to.Hardware, etherTypeIPv4)
	header := make([]byte, 20)
	header[0] = 0x45
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+8+len(payload)))
	header[8] = 64
	header[9] = protocolUDP
	copy(header[12:], from.Address.AsSlice())
	copy(header[16:], to.Address.AsSlice())
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	datagram := make([]byte, 8)
	binary.BigEndian.PutUint16(datagram[0:], from.Port)
	binary.BigEndian.PutUint16(datagram[2:], to.Port)
	binary.BigEndian.PutUint16(datagram[4:], uint16(len(datagram)+len(payload)))
	frame = append(frame, header...)
	frame = append(frame, datagram...)
	return append(frame, payload...)
}

// announcementFrame builds a gratuitous ARP reply: "this address is at my
// hardware address" (RFC 826), with the payload behind it as padding.
func announcementFrame(from, to Endpoint, payload []byte) []byte {
	frame := ethernet(from.Hardware, to.Hardware, etherTypeARP)
	frame = append(frame, 0, 1, 8, 0, 6, 4, 0, 2)
	frame = append(frame, from.Hardware...)
	frame = append(frame, from.Address.AsSlice()...)
	frame = append(frame, to.Hardware...)
	frame = append(frame, from.Address.AsSlice()...)
	return append(frame, payload...)
}

func ethernet(from, to net.HardwareAddr, etherType uint16) []byte {
	frame := append([]byte{}, to...)
	frame = append(frame, from...)
	return binary.BigEndian.AppendUint16(frame, etherType)
}

// checksum is the Internet checksum of RFC 1071, over an even number of bytes.
func checksum(content []byte) uint16 {
	var sum uint32
	for offset := 0; offset+1 < len(content); offset += 2 {
		sum += uint32(binary.BigEndian.Uint16(content[offset:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
