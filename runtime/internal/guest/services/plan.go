// SPDX-License-Identifier: Apache-2.0

package services

import (
	"maps"
	"net/netip"
	"slices"
)

// Plan is the rules' variable part. The packet filter decides in two steps: it finds by
// the frontend how many endpoints there are, and by the frontend and a random number
// less than that the endpoint. So there are as many chains as there are different counts
// of endpoints, however many Services there are, and everything else is in two maps.
type Plan struct {
	// Counts are the counts of endpoints that occur, ascending, without 0.
	Counts []int
	// Sizes are the counts by frontend. Frontends without endpoints are left out: what
	// is still addressed to a Service after the translation is refused.
	Sizes []Size
	// Targets are all endpoints.
	Targets []Target
	// Refused are what no packet may be addressed to after the translation.
	Refused []netip.Prefix
}

// Size is how many endpoints a frontend has.
type Size struct {
	Frontend
	Count int
}

// Target is one of the endpoints of a frontend.
type Target struct {
	Frontend
	Index    uint32
	Endpoint netip.AddrPort
}

// plan is the same for equal tables.
func plan(table Table) Plan {
	var made Plan
	counts := map[int]bool{}
	refused := map[netip.Prefix]bool{}
	for _, prefix := range table.ranges {
		refused[prefix] = true
	}
	for _, frontend := range slices.SortedFunc(maps.Keys(table.ports), Frontend.compare) {
		if own := netip.PrefixFrom(frontend.Address, 32); !within(own, table.ranges) {
			refused[own] = true
		}
		endpoints := table.ports[frontend]
		if len(endpoints) == 0 {
			continue
		}
		counts[len(endpoints)] = true
		made.Sizes = append(made.Sizes, Size{frontend, len(endpoints)})
		for index, endpoint := range endpoints {
			made.Targets = append(made.Targets, Target{frontend, uint32(index), endpoint})
		}
	}
	made.Counts = slices.Sorted(maps.Keys(counts))
	made.Refused = slices.SortedFunc(maps.Keys(refused), netip.Prefix.Compare)
	return made
}

func within(address netip.Prefix, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(prefix netip.Prefix) bool { return prefix.Overlaps(address) })
}
