// SPDX-License-Identifier: Apache-2.0

package size

import (
	"testing"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/vmm"
)

func TestAMachineTakesNoMoreOfItsNodeThanWasPromised(t *testing.T) {
	machine := Machine{CPUs: 1, Memory: 389 * config.MiB, Containers: 256 * config.MiB}
	for overhead, want := range map[int64]int64{
		0:                0, // declared nowhere
		384 * config.MiB: 624 * config.MiB,
		64 * config.MiB:  389 * config.MiB, // less than the guest's own part: it must boot
	} {
		pod := &runtime.LinuxPodSandboxConfig{Overhead: &runtime.LinuxContainerResources{MemoryLimitInBytes: overhead}}
		if got := HostMemory(pod, machine); got != want {
			t.Errorf("overhead %d: got %d, want %d", overhead, got, want)
		}
	}
}

func TestForPod(t *testing.T) {
	cfg := config.Default()
	cfg.DefaultMemory, cfg.OverheadMemory = 128*config.MiB, 64*config.MiB
	cases := []struct {
		name                  string
		quota, period, memory int64
		want                  Machine
	}{
		{"no limit means the defaults", 0, 100000, 0, Machine{1, 195 * config.MiB, 128 * config.MiB}},
		{"an unlimited quota means one processor", -1, 100000, 0, Machine{1, 195 * config.MiB, 128 * config.MiB}},
		{"half a processor is one", 50000, 100000, 0, Machine{1, 195 * config.MiB, 128 * config.MiB}},
		{"one and a bit are two", 100001, 100000, 0, Machine{2, 195 * config.MiB, 128 * config.MiB}},
		{"exactly two stay two", 200000, 100000, 0, Machine{2, 195 * config.MiB, 128 * config.MiB}},
		{"never more than the host has", 9900000, 100000, 0, Machine{4, 195 * config.MiB, 128 * config.MiB}},
		{"a period of zero means one processor", 100000, 0, 0, Machine{1, 195 * config.MiB, 128 * config.MiB}},
		{"a memory limit replaces the default", 0, 0, 256 * config.MiB, Machine{1, 326 * config.MiB, 256 * config.MiB}},
		{"bytes are rounded up to MiB", 0, 0, 256*config.MiB + 1, Machine{1, 326 * config.MiB, 256*config.MiB + 1}},
		{"the kernel's account of a large machine is bounded", 0, 0, 64 << 30, Machine{1, 64<<30 + 160*config.MiB, 64 << 30}},
		{"never less than a guest needs", 0, 0, 1, Machine{1, vmm.MinimumMemory, 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pod := &runtime.LinuxPodSandboxConfig{Resources: &runtime.LinuxContainerResources{
				CpuQuota: c.quota, CpuPeriod: c.period, MemoryLimitInBytes: c.memory}}
			if got := ForPod(pod, Machine{}, cfg, Node{CPUs: 4, Memory: 128 << 30}); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if got := ForPod(nil, Machine{}, cfg, Node{CPUs: 4}); got.CPUs != 1 {
		t.Fatalf("a pod without a Linux section: %+v", got)
	}
}

func TestTheRecordDecidesWhereItSaysSomething(t *testing.T) {
	cfg := config.Default()
	cfg.DefaultMemory, cfg.OverheadMemory = 128*config.MiB, 64*config.MiB
	pod := &runtime.LinuxPodSandboxConfig{Resources: &runtime.LinuxContainerResources{CpuQuota: 100000, CpuPeriod: 100000,
		MemoryLimitInBytes: 256 * config.MiB}}
	for _, c := range []struct {
		name   string
		wanted Machine
		want   Machine
	}{
		{"nothing", Machine{}, Machine{1, 326 * config.MiB, 256 * config.MiB}},
		{"all", Machine{CPUs: 2, Containers: 480 * config.MiB}, Machine{2, 554 * config.MiB, 480 * config.MiB}},
		{"never more than the node has", Machine{CPUs: 9, Containers: 1 << 62}, Machine{4, 4*1024*config.MiB + 150*config.MiB, 4096 * config.MiB}},
	} {
		if got := ForPod(pod, c.wanted, cfg, Node{CPUs: 4, Memory: 4096 * config.MiB}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
