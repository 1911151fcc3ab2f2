// SPDX-License-Identifier: Apache-2.0

// Package size decides how large a pod's machine is.
package size

import (
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/vmm"
)

// Machine is the size of a machine.
type Machine struct {
	CPUs       int
	Memory     int64 // bytes
	Containers int64 // bytes of it that are for the pod's containers
}

// HostMemory is the most that a machine may take on its node, in bytes: what its
// pod was scheduled with, less the shim's part. That is the containers' memory and the
// overhead that the RuntimeClass declares. The latter includes the guest's own part. 0: the
// pod declares no overhead, so there is no limit.
func HostMemory(pod *runtime.LinuxPodSandboxConfig, machine Machine) int64 {
	overhead := pod.GetOverhead().GetMemoryLimitInBytes()
	if overhead == 0 {
		return 0
	}
	return max(machine.Containers+overhead-shimMemory, machine.Memory)
}

// shimMemory is what a shim takes, in bytes, which is in the same overhead and in a
// cgroup of its own (measured: 18 MiB resident, of which 12 are its program's file).
const shimMemory = 16 * config.MiB

// The guest's kernel accounts for each page of memory and sizes its tables by it: 2 %
// (measured). Beyond the bound the containers get that much less, since the overhead
// that a RuntimeClass declares is the same for every pod.
const (
	accountShare  = 48
	accountAtMost = 96 * config.MiB
)

func account(memory int64) int64 { return min(memory/accountShare, accountAtMost) }

// Node is what a machine can have at most.
type Node struct {
	CPUs   int
	Memory int64 // bytes; 0: not known
}

// ForPod follows the sandbox record, whose writer knows each container: wanted. Where
// it says nothing, the limits decide that the kubelet summed over the pod's
// containers (LinuxPodSandboxConfig.resources): processors are the CPU limits rounded
// up, memory is the memory limits, or the default where there is none. What the
// guest itself needs comes on top. Overhead declared in the RuntimeClass is not
// added: it is for the emulator, outside the machine.
func ForPod(pod *runtime.LinuxPodSandboxConfig, wanted Machine, cfg config.Config, node Node) Machine {
	limits := pod.GetResources()
	machine := Machine{CPUs: wanted.CPUs, Containers: wanted.Containers}
	if quota, period := limits.GetCpuQuota(), limits.GetCpuPeriod(); machine.CPUs == 0 && quota > 0 && period > 0 {
		machine.CPUs = int(min((quota-1)/period+1, int64(node.CPUs)))
	}
	// More processors than the node has only make them wait for each other.
	machine.CPUs = max(1, min(machine.CPUs, node.CPUs))
	if machine.Containers == 0 {
		machine.Containers = max(0, limits.GetMemoryLimitInBytes())
	}
	if machine.Containers == 0 {
		machine.Containers = cfg.DefaultMemory
	}
	if node.Memory > 0 {
		// Beyond that a limit bounds nothing, and no monitor could map it.
		machine.Containers = min(machine.Containers, node.Memory)
	}
	machine.Memory = max(machine.Containers+account(machine.Containers)+cfg.OverheadMemory, vmm.MinimumMemory)
	// Whole MiB, rounded up: no monitor takes less.
	machine.Memory = (machine.Memory + config.MiB - 1) / config.MiB * config.MiB
	return machine
}
