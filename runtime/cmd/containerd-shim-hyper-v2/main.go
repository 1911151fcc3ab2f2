// SPDX-License-Identifier: Apache-2.0

// Containerd-shim-hyper-v2 is containerd's runtime io.containerd.hyper.v2: each
// pod runs in a virtual machine of its own. containerd starts it; it takes no
// orders from anybody else.
package main

import (
	"context"

	containerdshim "github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
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
	// The emulator is waited for by the thread that started it, so nobody else
	// may reap children.
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
	end := found.(shutdown.Service)
	service := shim.New(ic.Context, shim.SandboxID(), shim.Node, shim.Publisher(publisher.(containerdshim.Publisher)), end.Shutdown)
	end.RegisterCallback(service.Close)
	return service, nil
}
