// SPDX-License-Identifier: Apache-2.0

// Package vmm defines what the shim needs from a virtual machine monitor. It is kept
// small so that another monitor (Cloud Hypervisor) can be added beside QEMU.
package vmm

import (
	"context"
	"errors"
	"net"
	"os"
)

// MinimumMemory is the least a guest is started with, in bytes: below it the
// distribution kernel and the root disk leave too little for a container.
const MinimumMemory = 128 << 20

// MemoryBlock is the unit in which memory is plugged, in bytes: what Linux needs.
const MemoryBlock = 4 << 20

// Accelerators a Spec may name.
const (
	AcceleratorAuto = "auto" // kvm if a trial boot worked on this node, else tcg
	AcceleratorKVM  = "kvm"
	AcceleratorTCG  = "tcg"
)

// ErrGone is returned by operations on a machine whose monitor has exited.
var ErrGone = errors.New("the virtual machine is gone")

// Disk is a raw image. The monitor gets an open file, never a path, so its
// unprivileged user needs no permission on the file or on the directories above it.
type Disk struct {
	Path     string // regular file or block device, opened by Start or AttachDisk
	ReadOnly bool
	Serial   string // [A-Za-z0-9_-]{1,36}, unique in the machine; the guest finds the disk by it
}

// NIC is the pod's only network card.
type NIC struct {
	Tap     *os.File // IFF_TAP|IFF_NO_PI|IFF_VNET_HDR; Start takes a duplicate, the caller closes its own
	MAC     string
	MTU     int  // bytes; 0 says nothing to the guest
	Offload bool // whether checksum and segmentation offload may be offered to the guest
}

// Backing is a file that the guest's memory is mapped from, as far as it is there at boot.
type Backing struct {
	File *os.File // of Size bytes; Start takes a duplicate
	Size int64    // at least MinimumMemory
	// Room is how many bytes of the monitor's own memory can be plugged beside it. A
	// machine is given what its memory exceeds Size by, in whole MemoryBlocks.
	Room int64
	// Shared lets the guest's writes reach the file. Else they stay with the machine,
	// and what it does not write it shares with the other machines of the file.
	Shared bool
}

// Spec is everything that decides a machine.
type Spec struct {
	ID          string // sandbox id: process title and logs only
	GuestDir    string // holds vmlinux, initramfs and root.erofs
	Executable  string // the monitor's program
	Accelerator string // AcceleratorKVM or AcceleratorTCG (see qemu.ChooseAccelerator for auto)
	TSCkHz      int    // the host's time stamp counter, kHz; 0 lets a TCG guest calibrate (slower)
	// TranslationBuffer bounds, in bytes, the code that TCG keeps translated; the
	// monitor's own bound, 1 GiB, would be reached. Ignored with other accelerators.
	TranslationBuffer int64

	// Template boots a guest that becomes a template: it stops before it has an identity.
	// A clone is started with Incoming and the template's other settings, of which it
	// may change ID, users, cgroups, network namespace, disks, the NIC's tap and memory.
	Template bool
	Backing  *Backing // nil: all memory is the monitor's own and there at boot
	// Incoming is the state that Save wrote: the machine continues from there. Disks
	// are plugged after that. Start reads the file from its position.
	Incoming *os.File

	Memory    int64  // bytes of guest memory, at least MinimumMemory
	CPUs      int    // at least 1
	UID, GID  uint32 // the monitor's own user, never 0
	NetnsPath string // network namespace the monitor runs in; "" stays in the caller's (tests)
	// Cgroups are the directories, one per hierarchy, that the monitor is in before it
	// runs, so that all of its memory is accounted to them.
	Cgroups []string
	NIC     *NIC
	Disks   []Disk   // there from the start; later ones come by AttachDisk
	Stderr  *os.File // the monitor's own messages; nil discards them
	// Notify, unless nil, is called for each event of the machine, one after
	// another; it must not block.
	Notify func(Event)
}

// EventKind is what happened to a machine.
type EventKind int

// The events a monitor reports.
const (
	// EventStopped: the guest's processors are stopped, and nothing resumes them.
	EventStopped EventKind = iota
	// EventDiskError: the host could not read or write what the guest asked for.
	// The guest got the error and continues.
	EventDiskError
)

// Event is a monitor's report about its machine.
type Event struct {
	Kind      EventKind
	Disk      string // EventDiskError: its serial; "" when unknown
	Operation string // EventDiskError: read or write
	Reason    string // EventDiskError: the host's words
}

// Exit is how a monitor terminated.
type Exit struct {
	Code   int // exit code, -1 when killed
	Signal int // 0 unless killed
}

// Machine is a running virtual machine. All methods may be called from any
// goroutine, and after the machine is gone (then: ErrGone).
type Machine interface {
	// PID is the monitor's process id on the host.
	PID() int
	// Channel is the host end of the guest's virtio-serial port. The caller
	// owns it; closing it makes the guest power off.
	Channel() net.Conn
	// AttachDisk hot-plugs a disk. It returns when the device exists in the
	// monitor; the guest sees it some 10 ms later.
	AttachDisk(ctx context.Context, disk Disk) error
	// DetachDisk unplugs and returns when the guest has released the disk, or ctx ends.
	// An unknown serial is not an error.
	DetachDisk(ctx context.Context, serial string) error
	// Done is closed once the monitor has exited and was reaped.
	Done() <-chan struct{}
	// Wait blocks until Done or the end of ctx.
	Wait(ctx context.Context) (Exit, error)
	// Kill kills the monitor (SIGKILL) and is idempotent. The monitor is
	// also killed when the process that started it dies.
	Kill() error
}

// Saver is a machine whose state can be saved.
type Saver interface {
	Machine
	// Save stops the machine and writes its state, without the memory of its
	// Backing, to a file. The machine is of no use any more; the caller kills it.
	Save(ctx context.Context, state *os.File) error
}

// Growing is a machine that may still be given memory when it has started.
type Growing interface {
	Machine
	// WaitMemory returns when the guest has all of its memory.
	WaitMemory(ctx context.Context) error
}

// Driver starts machines.
type Driver interface {
	Start(ctx context.Context, spec Spec) (Machine, error)
}
