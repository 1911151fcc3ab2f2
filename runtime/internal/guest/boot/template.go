// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/channel"
)

// templateWord on the kernel's command line asks for a template
// (runtime/internal/vmm/qemu).
const templateWord = "hypernetes.template"

// What is read once, so that all clones find it in memory.
var warmUp = []string{"/usr/bin/crun", "--version"}

// IsTemplate says whether this machine is booted to be saved and cloned.
func IsTemplate() (bool, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return false, fmt.Errorf("read the kernel's command line: %w", err)
	}
	return slices.Contains(strings.Fields(string(line)), templateWord), nil
}

// Fork prepares all that pods have in common, waits to be saved, and returns in
// each clone once the kernel's random numbers are its own. Until then nothing may
// be derived from them, and nothing here may depend on a pod.
func Fork(port io.ReadWriter) error {
	if err := run(warmUp); err != nil {
		return fmt.Errorf("run %s once: %w", warmUp[0], err)
	}
	var err error
	if savedMemory, err = memory("MemTotal"); err != nil {
		return err
	}
	if err := channel.WriteReady(port); err != nil {
		return err
	}
	entropy, err := channel.ReadFork(port)
	if err != nil {
		return err
	}
	return reseed(entropy)
}

// run executes a program to its end. There is no reaper yet, and no other child.
func run(argv []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}})
	if err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	if status.ExitStatus() != 0 {
		return fmt.Errorf("status %d", status.ExitStatus())
	}
	return nil
}

// randomBytes is struct rand_pool_info of linux/random.h.
type randomBytes struct {
	bits, size int32
	data       [channel.EntropySize]byte
}

// reseed makes the kernel's generator this machine's own: the bytes are credited,
// and every processor derives a new key from them at once. Otherwise it would give
// what the template's would have given next. Debian's cloud kernel has no driver for
// a VM generation ID, which would do the same.
func reseed(entropy []byte) error {
	random, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open the random numbers: %w", err)
	}
	defer random.Close()
	bytes := randomBytes{bits: 8 * channel.EntropySize, size: channel.EntropySize}
	copy(bytes.data[:], entropy)
	if _, _, code := unix.Syscall(unix.SYS_IOCTL, random.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&bytes))); code != 0 {
		return fmt.Errorf("add entropy: %w", code)
	}
	if _, _, code := unix.Syscall(unix.SYS_IOCTL, random.Fd(), unix.RNDRESEEDCRNG, 0); code != 0 {
		return fmt.Errorf("reseed the random numbers: %w", code)
	}
	return nil
}
