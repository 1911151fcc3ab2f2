// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is what the kernel knows of disks, and what it can be asked to do.
type kernel interface {
	// scan finds what is plugged at target 0 and not known yet.
	scan() error
	// names are the disks the kernel has.
	names() ([]string, error)
	// shown is the serial the kernel read when it found the disk; "" without one.
	shown(name string) string
	// ask is the serial that the disk itself reports now; fs.ErrNotExist while it
	// has no device node.
	ask(name string) (string, error)
	// remove makes the kernel forget the disk. One that is gone is not an error.
	remove(name string) error
	// node is the disk's device node.
	node(name string) string
}

// sysfs is the running kernel.
type sysfs struct{ root, dev string }

// Channel 0, target 0, any unit: where all of the machine's disks are.
const allUnits = "0 0 -"

func (s sysfs) scan() error {
	files, err := filepath.Glob(filepath.Join(s.root, "class/scsi_host/host*/scan"))
	if err != nil {
		return fmt.Errorf("scan for disks: %w", err)
	}
	// Without a SCSI host there is nothing to ask: virtio-blk disks announce themselves.
	for _, file := range files {
		if err := os.WriteFile(file, []byte(allUnits), 0); err != nil {
			return fmt.Errorf("scan for disks: %w", err)
		}
	}
	return nil
}

func (s sysfs) names() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, "block"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		// Loop and RAM disks are there too and have no serial.
		if isSCSI(entry.Name()) || isVirtio(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func isSCSI(name string) bool   { return strings.HasPrefix(name, "sd") }
func isVirtio(name string) bool { return strings.HasPrefix(name, "vd") }

func (s sysfs) shown(name string) string {
	if isVirtio(name) {
		serial, err := s.virtioSerial(name)
		if err != nil {
			return ""
		}
		return serial
	}
	page, err := os.ReadFile(filepath.Join(s.root, "block", name, "device/vpd_pg80"))
	if err != nil {
		return ""
	}
	return parseSerialPage(page)
}

// virtioSerial asks a virtio-blk disk for its serial, of at most 20 bytes (virtio 1.2,
// 5.2.6: VIRTIO_BLK_T_GET_ID); Linux does so at each read.
func (s sysfs) virtioSerial(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.root, "block", name, "serial"))
	if err != nil {
		return "", fmt.Errorf("query a disk's serial: %w", err)
	}
	return strings.TrimRight(string(text), " \n\x00"), nil
}

func (s sysfs) remove(name string) error {
	if isVirtio(name) {
		return nil // the PCI device goes with the host's unplugging, which asks the guest first
	}
	err := os.WriteFile(filepath.Join(s.root, "block", name, "device/delete"), []byte("1"), 0)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return fmt.Errorf("remove disk %s: %w", name, err)
}

func (s sysfs) node(name string) string { return filepath.Join(s.dev, name) }

func (s sysfs) ask(name string) (string, error) {
	if isVirtio(name) {
		if _, err := os.Stat(s.node(name)); err != nil {
			return "", err
		}
		return s.virtioSerial(name)
	}
	file, err := os.OpenFile(s.node(name), os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	page, err := inquire(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	return parseSerialPage(page), nil
}

// sgIO is Linux's sg_io_hdr (include/scsi/sg.h).
type sgIO struct {
	interfaceID    int32
	direction      int32
	commandLength  uint8
	maxSenseLength uint8
	vectors        uint16
	dataLength     uint32
	data           *byte
	command        *byte
	sense          *byte
	timeout        uint32 // milliseconds
	flags          uint32
	packID         int32
	userPointer    uintptr
	status         uint8
	maskedStatus   uint8
	messageStatus  uint8
	senseWritten   uint8
	hostStatus     uint16
	driverStatus   uint16
	residual       int32
	duration       uint32
	info           uint32
}

const (
	sgIORequest   = 0x2285
	sgFromDevice  = -3
	sgTimeout     = 5000
	inquiryLength = 252
)

// inquire asks a disk for its serial number page. What /sys shows was read when
// the kernel found the disk and is never read again.
func inquire(file *os.File) ([]byte, error) {
	data := make([]byte, inquiryLength)
	sense := make([]byte, 32)
	// INQUIRY of the vital product data page 0x80 (SPC-4, 6.4).
	command := []byte{0x12, 1, 0x80, 0, inquiryLength, 0}
	request := sgIO{
		interfaceID: 'S', direction: sgFromDevice, timeout: sgTimeout,
		commandLength: uint8(len(command)), command: &command[0],
		dataLength: inquiryLength, data: &data[0],
		maxSenseLength: uint8(len(sense)), sense: &sense[0],
	}
	// The request holds pointers that the garbage collector does not see in the system call.
	var pinned runtime.Pinner
	defer pinned.Unpin()
	pinned.Pin(&data[0])
	pinned.Pin(&sense[0])
	pinned.Pin(&command[0])
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), sgIORequest, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return nil, fmt.Errorf("query a disk's serial: %w", errno)
	}
	if request.status != 0 || request.hostStatus != 0 {
		return nil, fmt.Errorf("the disk does not report its serial: status %d, host %d", request.status, request.hostStatus)
	}
	return data, nil
}

// parseSerialPage reads SCSI's unit serial number page (SPC-4, 7.8.15): byte 1 is
// the page code 0x80, bytes 2 and 3 the length.
func parseSerialPage(page []byte) string {
	if len(page) < 4 || page[1] != 0x80 {
		return ""
	}
	length := int(page[2])<<8 | int(page[3])
	if length > len(page)-4 {
		return ""
	}
	return string(bytes.TrimRight(page[4:4+length], " \x00"))
}
