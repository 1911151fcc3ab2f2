// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// PowerOff ends the machine. What was written to volumes is on its disk first.
func PowerOff() {
	unix.Sync()
	// The monitor runs with -no-reboot: a reset ends it like a power-off, and
	// needs no ACPI method of the firmware.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// Complain says on the kernel's log why the guest gives up. The log goes nowhere
// unless the machine was started with a console.
func Complain(failure error) {
	log, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer log.Close()
	_, _ = fmt.Fprintf(log, "<3>hyper-guest: %v\n", failure) // the last thing it can do
}
