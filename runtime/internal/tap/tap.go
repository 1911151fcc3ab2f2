// SPDX-License-Identifier: Apache-2.0

// Package tap opens the pod's TAP device, which the agent created.
package tap

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Open attaches to an existing TAP of this network namespace. The emulator
// gets the file, so it needs neither the device nor the namespace.
func Open(name string) (*os.File, error) {
	// TUNSETIFF would create a missing device, without a port behind it.
	if _, err := net.InterfaceByName(name); err != nil {
		return nil, fmt.Errorf("the pod's TAP %s does not exist: %w", name, err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the TAP driver: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("name TAP %q: %w", name, err), file.Close())
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, errors.Join(fmt.Errorf("attach to TAP %s: %w", name, err), file.Close())
	}
	return file, nil
}
