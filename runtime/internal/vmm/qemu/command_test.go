// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"os"
	"slices"
	"strings"
	"testing"

	"hypernetes.org/runtime/internal/vmm"
)

func example() vmm.Spec {
	return vmm.Spec{
		ID: "abc", GuestDir: "/guest", Executable: "/usr/bin/qemu", Accelerator: vmm.AcceleratorTCG, TSCkHz: 2600000, TranslationBuffer: 64 << 20,
		Memory: 256 << 20, CPUs: 1, UID: 200001, GID: 200001,
		NIC:   &vmm.NIC{MAC: "fa:16:3e:00:00:01", MTU: 1442},
		Disks: []vmm.Disk{{Path: "/secret/path", Serial: "scratch"}},
	}
}

var exampleDescriptors = descriptors{channel: 3, monitor: 4, root: 5, disks: []int{6}, tap: 7, memory: 8}

func TestTheCommandLineSaysWhatTheSpecSays(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*vmm.Spec)
		has    []string
		hasNot []string
	}{
		{
			name: "always",
			has: []string{
				"-nodefaults", "-no-user-config", "-no-reboot", "obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
				"-m 256M", "-smp 1", "swiotlb=noforce", "-accel tcg,tb-size=64 ", "/guest/vmlinux", "/guest/initramfs", "serial=hypernetes-root", "serial=scratch",
				"fd=5,set=1", "fd=6,set=2", "scsi-id=0,lun=0", "scsi-id=0,lun=1", "tap,id=net,fd=7", "host_mtu=1442",
				"serial=hypernetes-root,werror=report,rerror=report", "serial=scratch,werror=report,rerror=report",
			},
			hasNot: []string{"/secret/path"},
		},
		{name: "offloads are off behind a switch in user space", has: []string{",csum=off,", "guest_csum=off", "host_tso4=off", "mrg_rxbuf=off"}},
		{name: "offloads stay when they may", change: func(s *vmm.Spec) { s.NIC.Offload = true }, hasNot: []string{"csum=off"}},
		{name: "emulation gets the host's counter", has: []string{"tsc_early_khz=2600000", "nolapic_timer", "-cpu max"}},
		{name: "an unknown counter is not passed", change: func(s *vmm.Spec) { s.TSCkHz = 0 }, hasNot: []string{"tsc_early_khz"}},
		{name: "several CPUs keep their timers", change: func(s *vmm.Spec) { s.CPUs = 2 }, has: []string{"-smp 2"}, hasNot: []string{"nolapic_timer"}},
		{
			name: "KVM keeps the kernel's own clocks", change: func(s *vmm.Spec) { s.Accelerator = vmm.AcceleratorKVM },
			has: []string{"-accel kvm ", "-cpu host"}, hasNot: []string{"tb-size", "tsc=reliable", "nolapic_timer", "tsc_early_khz"},
		},
		{name: "a machine that boots has its own memory", hasNot: []string{"memory-backend", "-incoming", "hypernetes.template"}},
		{
			name: "a template's memory is a file", change: func(s *vmm.Spec) {
				s.Template, s.Backing = true, &vmm.Backing{Size: 128 << 20, Room: 1 << 30, Shared: true}
			},
			has:    []string{"memory-backend-ram,id=more,size=1024M", "virtio-mem-pci,id=plugged,memdev=more,block-size=2M,requested-size=0", "-m 128M,maxmem=1152M ", "memory-backend-file,id=ram,size=128M,mem-path=/proc/self/fd/8,share=on,prealloc=on", ",memory-backend=ram ", " hypernetes.template"},
			hasNot: []string{"-incoming"},
		},
		{
			name: "a clone's memory is private", change: func(s *vmm.Spec) { s.Template, s.Backing, s.Incoming = true, &vmm.Backing{Size: 256 << 20}, os.Stdin },
			has: []string{"size=256M,mem-path=/proc/self/fd/8,share=off,prealloc=off -incoming defer", "-m 256M ", ",memory-backend=ram ", " hypernetes.template"},
		},
		{name: "no network card", change: func(s *vmm.Spec) { s.NIC = nil }, hasNot: []string{"virtio-net", "tap"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := example()
			if test.change != nil {
				test.change(&spec)
			}
			line := strings.Join(commandLine(spec, exampleDescriptors), " ")
			for _, word := range test.has {
				if !strings.Contains(line, word) {
					t.Errorf("%q is missing in %s", word, line)
				}
			}
			for _, word := range test.hasNot {
				if strings.Contains(line, word) {
					t.Errorf("%q is in %s", word, line)
				}
			}
		})
	}
}

func TestAReadOnlyDiskIsReadOnlyInQEMU(t *testing.T) {
	for readOnly, want := range map[bool]string{true: "read-only=on", false: "read-only=off"} {
		arguments := diskArguments(2, 6, vmm.Disk{Serial: "s", ReadOnly: readOnly})
		if !slices.ContainsFunc(arguments, func(a string) bool { return strings.Contains(a, want) }) {
			t.Errorf("%q is missing in %v", want, arguments)
		}
	}
}

func TestASpecThatCannotBeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*vmm.Spec){
		"as root":               func(s *vmm.Spec) { s.UID = 0 },
		"root's group":          func(s *vmm.Spec) { s.GID = 0 },
		"too little memory":     func(s *vmm.Spec) { s.Memory = vmm.MinimumMemory - 1 },
		"no CPU":                func(s *vmm.Spec) { s.CPUs = 0 },
		"undecided accelerator": func(s *vmm.Spec) { s.Accelerator = vmm.AcceleratorAuto },
		"options in the id":     func(s *vmm.Spec) { s.ID = "a,process=b" },
		"options in the MAC":    func(s *vmm.Spec) { s.NIC.MAC = "fa:16:3e:00:00:01,romfile=/x" },
		"options in a serial":   func(s *vmm.Spec) { s.Disks[0].Serial = "a,drive=b" },
		"long serial":           func(s *vmm.Spec) { s.Disks[0].Serial = strings.Repeat("s", 37) },
		"the root's serial":     func(s *vmm.Spec) { s.Disks[0].Serial = rootSerial },
		"the same serial twice": func(s *vmm.Spec) { s.Disks = append(s.Disks, s.Disks[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			spec := example()
			change(&spec)
			if validate(spec) == nil {
				t.Error("it was taken")
			}
		})
	}
	if err := validate(example()); err != nil {
		t.Error("the example itself is refused:", err)
	}
}

func TestNamesOfQEMUsObjectsFitAndDiffer(t *testing.T) {
	a, b := nodeName(strings.Repeat("s", 36)), nodeName(strings.Repeat("s", 35))
	if len(a) > 31 || a == b || a == deviceID(strings.Repeat("s", 36)) {
		t.Errorf("%q and %q", a, b)
	}
}

func TestACloneGetsWhatItsTemplateLacks(t *testing.T) {
	for memory, want := range map[int64]int64{128: 0, 129: 4, 640: 512, 651: 524} {
		spec := vmm.Spec{Memory: memory << 20, Backing: &vmm.Backing{Size: 128 << 20, Room: 1 << 30}}
		if got := missing(spec); got != want<<20 {
			t.Errorf("%d MiB: %d are plugged", memory, got>>20)
		}
	}
	if got := missing(vmm.Spec{Memory: 640 << 20}); got != 0 {
		t.Errorf("a machine that boots lacks %d", got)
	}
}
