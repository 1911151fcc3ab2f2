// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// network is a network namespace that has nothing but a TAP device: a template's
// network card needs one behind it, and its monitor a place without any network.
type network struct {
	tap  *os.File
	path string // of the namespace
	end  chan struct{}
}

func newNetwork() (*network, error) {
	n := &network{end: make(chan struct{})}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var err error
		n.tap, err = makeTAP()
		n.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		made <- err
		if err == nil {
			<-n.end // the path is the thread's
		}
	}()
	if err := <-made; err != nil {
		return nil, err
	}
	return n, nil
}

// close ends the namespace, unless a process is in it.
func (n *network) close() {
	_ = n.tap.Close() // nothing was written to it
	close(n.end)
}

func makeTAP() (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("create a network namespace: %w", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the TAP driver: %w", err)
	}
	request, err := unix.NewIfreq("template")
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR) // as package tap opens a pod's
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		_ = unix.Close(fd) // the first error is the one to report
		return nil, fmt.Errorf("create a TAP: %w", err)
	}
	return os.NewFile(uintptr(fd), "template"), nil
}
