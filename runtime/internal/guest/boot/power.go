// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// PowerOff powers the machine off, after data written to volumes has reached the disk.
func PowerOff() {
	unix.Sync()
	// The monitor runs with -no-reboot: a reset terminates it like a power-off,
	// and does not need an ACPI method of the firmware.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// Complain writes the reason why the guest gives up to the kernel's log. The log is
// discarded unless the machine was started with a console.
func Complain(failure error) {
	log, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer log.Close()
	_, _ = fmt.Fprintf(log, "<3>hyper-guest: %v\n", failure) // the last thing it can do
}
