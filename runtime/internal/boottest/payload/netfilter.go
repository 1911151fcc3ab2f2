// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// masquerade does what a container engine inside a pod does first: `nft add rule ip … masquerade`.
func masquerade() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nested"})
	chain := conn.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{&expr.Counter{}, &expr.Masq{}}})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("add the rule: %w", err)
	}
	tables, err := conn.ListTables()
	if err != nil {
		return err
	}
	for _, found := range tables {
		fmt.Println(found.Name)
	}
	return nil
}
