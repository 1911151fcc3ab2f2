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
// pod was scheduled with, which is the containers' memory and the overhead that
// the RuntimeClass declares. The latter includes the guest's own part. 0: the
// pod declares no overhead, so there is no limit.
func HostMemory(pod *runtime.LinuxPodSandboxConfig, machine Machine) int64 {
	overhead := pod.GetOverhead().GetMemoryLimitInBytes()
	if overhead == 0 {
		return 0
	}
	return max(machine.Containers+overhead, machine.Memory)
}

// The guest's kernel accounts for each page of memory and sizes its tables by it: 2 %
// (measured). Beyond the bound the containers get that much less, since the overhead
// that a RuntimeClass declares is the same for every pod.
const (
	accountShare  = 48
	accountAtMost = 96 * config.MiB
)

func account(memory int64) int64 { return min(memory/accountShare, accountAtMost) }

// ForPod follows the limits the kubelet summed over the pod's containers
// (LinuxPodSandboxConfig.resources): processors are the CPU limits rounded up,
// memory is the memory limits, or the default where there is none, plus what
// the guest itself needs. Overhead declared in the RuntimeClass is not added:
// it is for the emulator, outside the machine.
func ForPod(pod *runtime.LinuxPodSandboxConfig, cfg config.Config, hostCPUs int) Machine {
	limits := pod.GetResources()
	machine := Machine{CPUs: 1, Memory: cfg.DefaultMemory}
	if quota, period := limits.GetCpuQuota(), limits.GetCpuPeriod(); quota > 0 && period > 0 {
		cpus := (quota-1)/period + 1
		// More processors than the host has would only wait for each other.
		machine.CPUs = int(max(1, min(cpus, int64(hostCPUs))))
	}
	if memory := limits.GetMemoryLimitInBytes(); memory > 0 {
		machine.Memory = memory
	}
	machine.Containers = machine.Memory
	machine.Memory = max(machine.Memory+account(machine.Memory)+cfg.OverheadMemory, vmm.MinimumMemory)
	// Whole MiB, rounded up: monitors accept nothing finer.
	machine.Memory = (machine.Memory + config.MiB - 1) / config.MiB * config.MiB
	return machine
}
