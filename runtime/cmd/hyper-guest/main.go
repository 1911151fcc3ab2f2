// SPDX-License-Identifier: Apache-2.0

// Hyper-guest is PID 1 of a pod's virtual machine. It communicates with the shim over
// a virtio-serial port and runs the pod's containers.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/guest/boot"
	"hypernetes.org/runtime/internal/guest/container"
	"hypernetes.org/runtime/internal/guest/reaper"
	"hypernetes.org/runtime/internal/guest/service"
)

const portTimeout = 10 * time.Second

func main() {
	if len(os.Args) == 2 && os.Args[1] == container.HoldPidNamespaceArgument {
		container.HoldPidNamespace()
		return
	}
	// When the guest ends, so does the pod: there is nothing else to report to.
	boot.Complain(run())
	boot.PowerOff()
	os.Exit(1)
}

// run serves the pod until its channel ends, and returns the reason.
func run() error {
	if os.Getpid() != 1 {
		return errors.New("hyper-guest is the first process of a virtual machine")
	}
	if err := boot.Early(); err != nil {
		return err
	}
	if err := boot.LoadModules(boot.StageChannel); err != nil {
		return err
	}
	port, err := boot.OpenPort(portTimeout)
	if err != nil {
		return err
	}
	template, err := boot.IsTemplate()
	if err != nil {
		return err
	}
	if template {
		// Before the root disk hides the modules.
		if err := boot.LoadModules(boot.StageGrowth); err != nil {
			return err
		}
		if err := system(); err != nil {
			return err
		}
		// Clones share the memory of what is loaded here, and lose no time with it.
		if err := boot.LoadServices(); err != nil {
			return err
		}
		if err := boot.Fork(port); err != nil {
			return err
		}
	}
	guest := service.New()
	session, err := channel.NewGuest(portConn{port}, guest)
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- session.Serve() }()
	if !template { // the host already has the hello and need not wait
		if err := system(); err != nil {
			return err
		}
	}
	go func() { ended <- guest.Run(context.Background(), reaper.New()) }()
	return fmt.Errorf("the host is gone: %w", <-ended)
}

// system loads what the channel does not need, and mounts the root disk.
func system() error {
	if err := boot.LoadModules(boot.StageRest); err != nil {
		return err
	}
	return boot.Root()
}

// portConn is the port as yamux wants it.
type portConn struct{ *os.File }

func (portConn) LocalAddr() net.Addr  { return portAddr{} }
func (portConn) RemoteAddr() net.Addr { return portAddr{} }

type portAddr struct{}

func (portAddr) Network() string { return "virtio-serial" }
func (portAddr) String() string  { return "host" }
