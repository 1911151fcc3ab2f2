// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"context"
	"os"
	"path/filepath"

	containerdshim "github.com/containerd/containerd/v2/pkg/shim"
	"google.golang.org/protobuf/proto"

	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/forward"
	"hypernetes.org/runtime/internal/oom"
	"hypernetes.org/runtime/internal/sandbox"
	"hypernetes.org/runtime/internal/tap"
	"hypernetes.org/runtime/internal/task"
	"hypernetes.org/runtime/internal/template"
	"hypernetes.org/runtime/internal/vmm/qemu"
)

// Node is the real host.
func Node() (sandbox.Host, error) {
	cfg, err := config.Load(config.Path)
	if err != nil {
		return sandbox.Host{}, err
	}
	if dir := os.Getenv(vmDirEnv); dir != "" {
		cfg.VMDir = dir // where `delete` will look for what is left
	}
	return sandbox.Host{
		Config: cfg, Driver: qemu.New(), Accelerator: accelerator,
		OpenTAP: tap.Open, Template: template.Ask, Forward: forward.Listen, Hierarchies: cgroup.Hierarchies, AdjustOOM: oom.Adjust,
		Socket: socketPath(os.Getenv(socketEnv)),
	}, nil
}

// acceleratorFile keeps what a trial boot found, for all pods of this node.
const acceleratorFile = ".accelerator"

func accelerator(ctx context.Context, cfg config.Config, uid uint32) (string, int, error) {
	choice, err := qemu.ChooseAccelerator(ctx, qemu.Probe{
		Requested: cfg.Accelerator, GuestDir: cfg.GuestDir, Executable: cfg.QEMU,
		UID: uid, GID: uid, CacheFile: filepath.Join(cfg.VMDir, acceleratorFile),
	})
	return choice.Accelerator, choice.TSCkHz, err
}

// Publisher sends events with containerd's own publisher.
func Publisher(to containerdshim.Publisher) task.Publisher { return publisher{to} }

type publisher struct{ to containerdshim.Publisher }

func (p publisher) Publish(ctx context.Context, topic string, event proto.Message) error {
	return p.to.Publish(ctx, topic, event)
}
