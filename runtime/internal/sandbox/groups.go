// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"

	"hypernetes.org/runtime/internal/cgroup"
)

// groups are the directories below the pod's cgroup, one per hierarchy: the machine's,
// which has the limits and the counters, and this process's beside it.
type groups struct {
	machine, shim []string
	hierarchies   []string
	origin        []cgroup.Place // where this process was; nil until it is in its own
}

func planGroups(hierarchies []string, parent, id string) (groups, error) {
	// Not the bare ID: the kubelet's cAdvisor would take it for a container.
	name := "hyper-" + id[:min(len(id), 13)]
	machine, err := cgroup.Plan(hierarchies, parent, name)
	if err != nil {
		return groups{}, err
	}
	shim, err := cgroup.Plan(hierarchies, parent, name+"-shim")
	if err != nil {
		return groups{}, err
	}
	return groups{machine: machine, shim: shim, hierarchies: hierarchies}, nil
}

func (g *groups) all() []string { return append(append([]string{}, g.machine...), g.shim...) }

// enter creates the directories and moves this process, so that what it does for the
// pod, and the programs it runs, are accounted to the pod.
func (g *groups) enter() error {
	if err := cgroup.Create(g.all()); err != nil {
		return err
	}
	origin, err := cgroup.Own(g.hierarchies)
	if err != nil {
		return err
	}
	g.origin = origin
	return cgroup.Enter(g.shim)
}

// remove returns this process to where it was, and removes the directories. The pod is
// over for it then; the kubelet kills what is left in a pod's cgroup.
func (g *groups) remove(ctx context.Context) error {
	if g.origin != nil && len(g.shim) > 0 {
		if err := cgroup.Return(g.origin); err != nil {
			return err
		}
		g.origin = nil
	}
	return cgroup.Remove(ctx, g.all())
}
