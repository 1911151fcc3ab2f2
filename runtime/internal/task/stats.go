// SPDX-License-Identifier: Apache-2.0

package task

import (
	cgroups "github.com/containerd/cgroups/v3/cgroup2/stats"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

// metrics puts the guest's numbers into the form containerd's CRI reads. They
// are the tenant's claims: good for its own dashboards, not for billing.
func metrics(stats *guestv1.StatsResponse) *cgroups.Metrics {
	cpu, memory, processes := stats.GetCpu(), stats.GetMemory(), stats.GetProcesses()
	return &cgroups.Metrics{
		Pids: &cgroups.PidsStat{Current: processes.GetCurrent(), Limit: processes.GetLimit()},
		CPU: &cgroups.CPUStat{
			UsageUsec: cpu.GetUsage(), UserUsec: cpu.GetUser(), SystemUsec: cpu.GetSystem(),
			NrPeriods: cpu.GetPeriods(), NrThrottled: cpu.GetThrottledPeriods(), ThrottledUsec: cpu.GetThrottled(),
		},
		Memory: &cgroups.MemoryStat{
			Usage: memory.GetUsage(), UsageLimit: memory.GetLimit(), Anon: memory.GetAnonymous(), File: memory.GetFile(),
			InactiveFile: memory.GetInactiveFile(), KernelStack: memory.GetKernelStack(), Slab: memory.GetSlab(),
			Pgfault: memory.GetPageFaults(), Pgmajfault: memory.GetMajorPageFaults(), SwapUsage: memory.GetSwapUsage(),
		},
		MemoryEvents: &cgroups.MemoryEvents{Oom: memory.GetOomEvents(), OomKill: memory.GetOomKills()},
	}
}
