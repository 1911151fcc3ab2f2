// SPDX-License-Identifier: Apache-2.0

// Containerd-shim-hyper-v2 is containerd's runtime io.containerd.hyper.v2: each
// pod runs in its own virtual machine. containerd starts it; it accepts requests
// from containerd only.
package main

import (
	"context"

	containerdshim "github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/log"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"

	"hypernetes.org/runtime/internal/shim"
)

func main() {
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "hyper",
		Requires: []plugin.Type{plugins.EventPlugin, plugins.InternalPlugin},
		InitFn:   serve,
	})
	// The thread that started the emulator waits for it, so nothing else may reap
	// children.
	containerdshim.RunShim(context.Background(), shim.Manager{}, func(c *containerdshim.Config) {
		c.NoReaper, c.NoSubreaper = true, true
	})
}

func serve(ic *plugin.InitContext) (any, error) {
	found, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
	if err != nil {
		return nil, err
	}
	publisher, err := ic.GetByID(plugins.EventPlugin, "publisher")
	if err != nil {
		return nil, err
	}
	// The log is the node's, and part of what is written there is the guest's doing.
	log.L.Logger.SetOutput(shim.LimitLog(log.L.Logger.Out))
	end := found.(shutdown.Service)
	service := shim.New(ic.Context, shim.SandboxID(), shim.Node, shim.Publisher(publisher.(containerdshim.Publisher)), end.Shutdown)
	end.RegisterCallback(service.Close)
	return service, nil
}
