// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"hypernetes.org/runtime/internal/ident"
	"hypernetes.org/runtime/internal/vmm"
)

const (
	channelName = "org.hypernetes.guest.0"
	// The guest finds its own root disk by this serial (runtime/internal/guest/boot).
	rootSerial = "hypernetes-root"
	// The guest finds it on the kernel's command line (runtime/internal/guest/boot).
	templateWord = "hypernetes.template"
	bus          = "scsi.0"
	// What the host cannot read or write is an error in the guest. By default a
	// full file system of the host would stop the machine forever.
	onError = "report"
	// QEMU refuses an fdset number beyond a signed 64-bit; small ones are for humans.
	firstSet = 1
)

// MinimumTranslationBuffer is TCG's minimum, in bytes: with less it does little but
// translate.
const MinimumTranslationBuffer = 8 << 20

var serialForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,36}$`)

// descriptors are the file descriptor numbers in the new process.
type descriptors struct {
	channel int
	monitor int
	tap     int   // -1 without NIC
	memory  int   // -1 without Backing
	root    int   // the root disk
	disks   []int // as spec.Disks
}

// commandLine returns QEMU's arguments. It is pure: everything that decides the
// machine is in its parameters.
//
// What is omitted matters as much as what is present: without default devices,
// platform devices and the usual firmware, an emulated machine is up in 1.3 s
// instead of 1.9 s.
func commandLine(spec vmm.Spec, fds descriptors) []string {
	cpu := "host"
	if spec.Accelerator == vmm.AcceleratorTCG {
		cpu = "max"
	}
	// What the guest has in its memory is never part of a core dump.
	machine := "q35,dump-guest-core=off,smm=off,vmport=off,sata=off,smbus=off,usb=off,i8042=off,graphics=off"
	if spec.Backing != nil {
		machine += ",memory-backend=" + memoryID
	}
	arguments := append(backingArguments(spec, fds.memory),
		"-name", "hypernetes-"+spec.ID,
		"-machine", machine,
		"-accel", accelerator(spec),
		"-cpu", cpu,
		"-smp", strconv.Itoa(spec.CPUs),
		"-m", memoryArgument(spec),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		// Privileges are dropped before exec, so that QEMU needs no more than this.
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-bios", "qboot.rom",
		"-kernel", filepath.Join(spec.GuestDir, "vmlinux"),
		"-initrd", filepath.Join(spec.GuestDir, "initramfs"),
		"-append", kernelLine(spec),
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", fds.monitor),
		"-mon", "chardev=monitor,mode=control",
		"-chardev", fmt.Sprintf("socket,id=channel,fd=%d", fds.channel),
		"-device", "virtio-serial-pci,id=serial,max_ports=2",
		"-device", "virtserialport,bus=serial.0,nr=1,chardev=channel,name="+channelName,
		"-device", "virtio-scsi-pci,id=scsi",
	)
	arguments = append(arguments, diskArguments(firstSet, fds.root, vmm.Disk{ReadOnly: true, Serial: rootSerial})...)
	for i, disk := range spec.Disks {
		arguments = append(arguments, diskArguments(firstSet+1+i, fds.disks[i], disk)...)
	}
	if spec.NIC != nil {
		arguments = append(arguments, nicArguments(spec.NIC, fds.tap)...)
	}
	return arguments
}

// accelerator returns the value of -accel. A busy guest fills TCG's buffer of translated
// code whatever its size, since what a process leaves behind is dropped only when
// the buffer is full: the bound is what a busy machine takes.
func accelerator(spec vmm.Spec) string {
	if spec.Accelerator != vmm.AcceleratorTCG {
		return spec.Accelerator
	}
	return fmt.Sprintf("tcg,tb-size=%d", spec.TranslationBuffer>>20)
}

// ownMemory is what QEMU takes beside the guest's memory and TCG's buffer, in bytes:
// its program and heap, device state, TCG's tables (measured: 90 MiB; boottest
// checks it with a busy machine).
const ownMemory = 112 << 20

// Overhead is the most that a machine takes on the host beside its guest's memory,
// in bytes.
func Overhead(accelerator string, translationBuffer int64) int64 {
	if accelerator != vmm.AcceleratorTCG {
		return ownMemory
	}
	return ownMemory + translationBuffer
}

// diskArguments returns the arguments of a disk that is present from the start: a unit
// of target 0, the only one that the guest scans at boot. Unit and fdset have the same number.
func diskArguments(set, fd int, disk vmm.Disk) []string {
	return []string{
		"-add-fd", fmt.Sprintf("fd=%d,set=%d", fd, set),
		"-blockdev", fmt.Sprintf("driver=raw,node-name=%s,read-only=%s,discard=unmap,file.driver=file,file.filename=/dev/fdset/%d,file.locking=off",
			nodeName(disk.Serial), onOff(disk.ReadOnly), set),
		"-device", fmt.Sprintf("scsi-hd,id=%s,bus=%s,scsi-id=0,lun=%d,drive=%s,serial=%s,werror=%s,rerror=%s",
			deviceID(disk.Serial), bus, set-firstSet, nodeName(disk.Serial), disk.Serial, onError, onError),
	}
}

func nicArguments(nic *vmm.NIC, fd int) []string {
	device := "virtio-net-pci,netdev=net,mac=" + nic.MAC + ",romfile="
	if nic.MTU != 0 {
		device += fmt.Sprintf(",host_mtu=%d", nic.MTU)
	}
	if !nic.Offload {
		// A switch in user space neither completes partial checksums nor splits
		// large segments.
		for _, feature := range []string{
			"csum", "gso", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo",
			"host_tso4", "host_tso6", "host_ecn", "host_ufo", "mrg_rxbuf",
		} {
			device += "," + feature + "=off"
		}
	}
	return []string{"-netdev", fmt.Sprintf("tap,id=net,fd=%d", fd), "-device", device}
}

// kernelLine returns the kernel's parameters.
func kernelLine(spec vmm.Spec) string {
	// The self-tests of the kernel's ciphers would take 0.3 s under emulation.
	// Every device reaches all of the guest's memory: no bounce buffers, for which the
	// kernel would set 64 MiB aside in a machine of 4 GiB.
	words := []string{"console=none", "quiet", "loglevel=0", "panic=-1", "cryptomgr.notests", "swiotlb=noforce"}
	if spec.Template {
		// Plugged memory is used without waiting for a program that would say so.
		words = append(words, templateWord, "memhp_default_state=online")
	}
	if spec.Accelerator == vmm.AcceleratorTCG {
		// Under emulation the guest reads the host's time stamp counter.
		if spec.TSCkHz > 0 {
			words = append(words, fmt.Sprintf("tsc_early_khz=%d", spec.TSCkHz))
		}
		words = append(words, "tsc=reliable", "noreplace-smp", "no_timer_check")
		if spec.CPUs == 1 {
			// Its calibration takes 0.1 s; with several CPUs the timer is needed.
			words = append(words, "nolapic_timer")
		}
	}
	return strings.Join(words, " ")
}

func validate(spec vmm.Spec) error {
	switch {
	case spec.Accelerator != vmm.AcceleratorKVM && spec.Accelerator != vmm.AcceleratorTCG:
		return fmt.Errorf("accelerator %q: choose kvm or tcg", spec.Accelerator)
	case spec.Memory < vmm.MinimumMemory:
		return fmt.Errorf("%d bytes of memory: a machine needs %d", spec.Memory, vmm.MinimumMemory)
	case spec.Accelerator == vmm.AcceleratorTCG && spec.TranslationBuffer < MinimumTranslationBuffer:
		return fmt.Errorf("a translation buffer of %d bytes: TCG needs %d", spec.TranslationBuffer, MinimumTranslationBuffer)
	case spec.CPUs < 1:
		return fmt.Errorf("%d CPUs", spec.CPUs)
	case spec.UID == 0 || spec.GID == 0:
		return fmt.Errorf("a machine must not run as root")
	case !ident.Valid(spec.ID):
		return fmt.Errorf("machine id %q", spec.ID)
	// A comma would end the value in QEMU's arguments and start another.
	case spec.NIC != nil && !macForm.MatchString(spec.NIC.MAC):
		return fmt.Errorf("MAC address %q", spec.NIC.MAC)
	}
	if spec.Incoming != nil && spec.Backing == nil {
		return fmt.Errorf("a saved machine continues only with its memory")
	}
	if b := spec.Backing; b != nil && (b.Size < vmm.MinimumMemory || spec.Memory < b.Size || missing(spec) > b.Room) {
		return fmt.Errorf("%d bytes of memory cannot be made of %d and up to %d more", spec.Memory, b.Size, b.Room)
	}
	seen := map[string]bool{rootSerial: true}
	for _, disk := range spec.Disks {
		if err := validateSerial(disk.Serial); err != nil {
			return err
		}
		if seen[disk.Serial] {
			return fmt.Errorf("two disks have the serial %q", disk.Serial)
		}
		seen[disk.Serial] = true
	}
	return nil
}

var (
	macForm = regexp.MustCompile(`^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$`)
)

func validateSerial(serial string) error {
	if !serialForm.MatchString(serial) {
		return fmt.Errorf("disk serial %q: want 1 to 36 letters, digits, - or _", serial)
	}
	return nil
}

// QEMU's IDs start with a letter and share one name space.
func nodeName(serial string) string { return shortID("b", serial) }
func deviceID(serial string) string { return shortID("d", serial) }

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
