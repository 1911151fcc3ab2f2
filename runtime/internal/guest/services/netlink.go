// SPDX-License-Identifier: Apache-2.0

package services

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	mdnetlink "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	tableName = "hypernetes-services"
	// socketBuffer holds a transaction of the largest table.
	socketBuffer = 16 << 20
	// elementsPerMessage keeps a list of elements below the 64 KiB of an attribute.
	elementsPerMessage = 400
)

// Registers of four bytes each; a value of several begins at any of them.
const (
	regAddress  = 1  // first of the key's; NFT_REG_1 begins where NFT_REG32_00 does
	regProtocol = 9  // NFT_REG32_01
	regPort     = 10 // NFT_REG32_02
	regIndex    = 11 // NFT_REG32_03
	regTarget   = 2  // NFT_REG_2: the endpoint's address
	regTargetTo = 13 // NFT_REG32_05: its port
)

var (
	frontendType = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService)
	indexedType  = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService, nftables.TypeInteger)
	targetType   = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
)

// replace makes the rules those of a plan, in one transaction: no packet meets half of it.
func replace(wanted Plan) error {
	conn, err := open()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: tableName}
	conn.AddTable(table) // so that there is one to be deleted
	conn.DelTable(table)
	if len(wanted.Refused) > 0 {
		if err := fill(conn, conn.AddTable(table), wanted); err != nil {
			return fmt.Errorf("describe the rules of Services: %w", err)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("change the rules of Services: %w", err)
	}
	return nil
}

func open() (*nftables.Conn, error) {
	conn, err := nftables.New(nftables.WithSockOptions(func(socket *mdnetlink.Conn) error {
		if err := socket.SetWriteBuffer(socketBuffer); err != nil {
			return err
		}
		return socket.SetReadBuffer(socketBuffer)
	}))
	if err != nil {
		return nil, fmt.Errorf("open the packet filter: %w", err)
	}
	return conn, nil
}

func fill(conn *nftables.Conn, table *nftables.Table, wanted Plan) error {
	targets := &nftables.Set{
		Table: table, Name: "targets", IsMap: true, Concatenation: true, KeyType: indexedType, DataType: targetType,
	}
	if err := add(conn, targets, targetElements(wanted.Targets)); err != nil {
		return err
	}
	for _, count := range wanted.Counts {
		chain := conn.AddChain(&nftables.Chain{Table: table, Name: chainName(count)})
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: translate(targets, uint32(count))})
	}
	frontends := &nftables.Set{
		Table: table, Name: "frontends", IsMap: true, Concatenation: true, KeyType: frontendType, DataType: nftables.TypeVerdict,
	}
	if err := add(conn, frontends, frontendElements(wanted.Sizes)); err != nil {
		return err
	}
	// Output is the pod's own processes', prerouting that of containers nested in them.
	for name, hook := range map[string]*nftables.ChainHook{"nat-output": nftables.ChainHookOutput, "nat-prerouting": nftables.ChainHookPrerouting} {
		chain := conn.AddChain(&nftables.Chain{
			Table: table, Name: name, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
		})
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: find(frontends)})
	}
	for name, hook := range map[string]*nftables.ChainHook{"filter-output": nftables.ChainHookOutput, "filter-forward": nftables.ChainHookForward} {
		chain := conn.AddChain(&nftables.Chain{
			Table: table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter,
		})
		for _, prefix := range wanted.Refused {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: refuse(prefix)})
		}
	}
	return nil
}

func add(conn *nftables.Conn, set *nftables.Set, elements []nftables.SetElement) error {
	if err := conn.AddSet(set, nil); err != nil {
		return err
	}
	for part := range slices.Chunk(elements, elementsPerMessage) {
		if err := conn.SetAddElements(set, part); err != nil {
			return err
		}
	}
	return nil
}

func chainName(count int) string { return "of-" + strconv.Itoa(count) }

func ipv4() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: regAddress},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regAddress, Data: []byte{unix.NFPROTO_IPV4}},
	}
}

// loadFrontend is: ip daddr . meta l4proto . th dport.
func loadFrontend() []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: regAddress, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: regProtocol},
		&expr.Payload{DestRegister: regPort, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

// find is: ip daddr . meta l4proto . th dport vmap @frontends.
func find(frontends *nftables.Set) []expr.Any {
	return slices.Concat(ipv4(), loadFrontend(), []expr.Any{
		&expr.Lookup{SourceRegister: regAddress, SetName: frontends.Name, SetID: frontends.ID, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true},
	})
}

// translate is: dnat ip to ip daddr . meta l4proto . th dport . numgen random mod count map @targets.
func translate(targets *nftables.Set, count uint32) []expr.Any {
	return append(loadFrontend(),
		&expr.Numgen{Register: regIndex, Modulus: count, Type: unix.NFT_NG_RANDOM},
		&expr.Lookup{SourceRegister: regAddress, SetName: targets.Name, SetID: targets.ID, DestRegister: regTarget, IsDestRegSet: true},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: regTarget, RegProtoMin: regTargetTo},
	)
}

// refuse is: ip daddr prefix reject with icmp port-unreachable.
func refuse(prefix netip.Prefix) []expr.Any {
	address := prefix.Addr().As4()
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-prefix.Bits()))
	return append(ipv4(),
		&expr.Payload{DestRegister: regAddress, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Bitwise{SourceRegister: regAddress, DestRegister: regAddress, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regAddress, Data: address[:]},
		&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: 3}, // ICMP_PORT_UNREACH
	)
}

// key is a frontend as the registers hold it: each part padded to four bytes.
func (f Frontend) key() []byte {
	address := f.Address.As4()
	key := append(address[:], f.Protocol, 0, 0, 0)
	key = binary.BigEndian.AppendUint16(key, f.Port)
	return append(key, 0, 0)
}

func frontendElements(sizes []Size) []nftables.SetElement {
	elements := make([]nftables.SetElement, 0, len(sizes))
	for _, size := range sizes {
		elements = append(elements, nftables.SetElement{
			Key: size.key(), VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: chainName(size.Count)},
		})
	}
	return elements
}

func targetElements(targets []Target) []nftables.SetElement {
	elements := make([]nftables.SetElement, 0, len(targets))
	for _, target := range targets {
		address := target.Endpoint.Addr().As4()
		value := binary.BigEndian.AppendUint16(address[:], target.Endpoint.Port())
		elements = append(elements, nftables.SetElement{
			// The kernel's random number is in the order of the machine's bytes.
			Key: binary.NativeEndian.AppendUint32(target.key(), target.Index), Val: append(value, 0, 0),
		})
	}
	return elements
}
