// SPDX-License-Identifier: Apache-2.0

package container

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// HoldPidNamespaceArgument makes hyper-guest the first process of a shared pid
// namespace instead of the guest's init.
const HoldPidNamespaceArgument = "hold-pid-namespace"

// HoldPidNamespace keeps the namespace and reaps its orphans, forever.
func HoldPidNamespace() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for range children {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if err != nil || pid <= 0 {
				break
			}
		}
	}
}
