// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"net"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Offsets in struct bpf_sk_lookup (linux/bpf.h).
const (
	familyOffset    = 8
	protocolOffset  = 12
	interfaceOffset = 64
)

// loopback is the index of lo, the first interface of each network namespace.
const loopback = 1

// Keys in the map of listeners.
const (
	keyIPv4 uint32 = iota
	keyIPv6
	keys
)

// pass is SK_PASS: the kernel goes on, with the socket that was assigned if there is one.
const pass = 1

// steering makes all TCP connections in a network namespace, whatever their port, arrive
// at one listener per address family. It lasts as long as this process has it open.
type steering struct {
	listeners *ebpf.Map
	program   *ebpf.Program
	link      *link.NetNsLink
}

// steer attaches a program that the kernel asks for the listener of a new connection
// (Documentation/bpf/prog_sk_lookup.rst). Unlike a redirect of netfilter it keeps no state
// of connections, and the destination stays what the client dialed.
func steer(netns *os.File, listeners map[uint32]*net.TCPListener) (_ *steering, err error) {
	s := &steering{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.listeners, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: keys}); err != nil {
		return nil, fmt.Errorf("make the map of listeners: %w", err)
	}
	for key, listener := range listeners {
		if err := s.put(key, listener); err != nil {
			return nil, err
		}
	}
	s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup, License: "Apache-2.0", Instructions: instructions(s.listeners),
	})
	if err != nil {
		return nil, fmt.Errorf("load the program that finds the listener: %w", err)
	}
	if s.link, err = link.AttachNetNs(int(netns.Fd()), s.program); err != nil {
		return nil, fmt.Errorf("attach the program to the pod's network namespace: %w", err)
	}
	return s, nil
}

func (s *steering) put(key uint32, listener *net.TCPListener) error {
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = s.listeners.Put(key, uint64(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("add a listener to the map: %w", failed)
	}
	return nil
}

func (s *steering) close() {
	// Closing a link detaches it. None of these can fail in a way that could be repaired.
	if s.link != nil {
		_ = s.link.Close()
	}
	if s.program != nil {
		_ = s.program.Close()
	}
	if s.listeners != nil {
		_ = s.listeners.Close()
	}
}

// instructions are, in C:
//
//	if (ctx->protocol != IPPROTO_TCP || ctx->ingress_ifindex != loopback) return SK_PASS;
//	__u32 key = ctx->family == AF_INET6;
//	struct bpf_sock *sk = bpf_map_lookup_elem(&listeners, &key);
//	if (!sk) return SK_PASS;
//	bpf_sk_assign(ctx, sk, 0);
//	bpf_sk_release(sk);
//	return SK_PASS;
func instructions(listeners *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, protocolOffset, asm.Word),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_TCP, "pass"),
		asm.LoadMem(asm.R2, asm.R6, interfaceOffset, asm.Word),
		asm.JNE.Imm(asm.R2, loopback, "pass"),
		asm.StoreImm(asm.RFP, -4, int64(keyIPv4), asm.Word),
		asm.LoadMem(asm.R2, asm.R6, familyOffset, asm.Word),
		asm.JNE.Imm(asm.R2, unix.AF_INET6, "find"),
		asm.StoreImm(asm.RFP, -4, int64(keyIPv6), asm.Word),
		asm.LoadMapPtr(asm.R1, listeners.FD()).WithSymbol("find"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, pass).WithSymbol("pass"),
		asm.Return(),
	}
}
