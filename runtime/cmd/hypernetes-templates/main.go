// SPDX-License-Identifier: Apache-2.0

// Hypernetes-templates keeps the node's VM templates and gives them to shims. It
// runs beside containerd; without it pods' machines boot.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/containerd/log"
	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/record"
	"hypernetes.org/runtime/internal/template"
	"hypernetes.org/runtime/internal/vmm/qemu"
	"hypernetes.org/runtime/internal/vmstate"
)

const (
	sweepInterval = 10 * time.Second
	// What the machine that becomes a template takes beside its file, at most: the
	// emulator, with all that it has translated.
	makingMemory  = 512 << 20
	cgroupTimeout = 5 * time.Second
)

func main() {
	settings := flag.String("config", config.Path, "the node's runtime settings")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	if err := run(ctx, *settings); err != nil {
		fmt.Fprintln(os.Stderr, "hypernetes-templates:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, settings string) error {
	cfg, err := config.Load(settings)
	if err != nil {
		return err
	}
	groups, err := template.Cgroups(cfg.TemplatesMemory + makingMemory)
	if err != nil {
		// Then they are charged to this process's, which is no pod's either.
		log.L.WithError(err).Warn("templates have no cgroup of their own")
		groups = nil
	}
	keeper := template.NewKeeper(template.Limits{
		Count: cfg.TemplatesCount, Memory: cfg.TemplatesMemory,
		Age: time.Duration(cfg.TemplatesAge) * time.Second, Idle: time.Duration(cfg.TemplatesIdle) * time.Second,
		Grace: time.Duration(cfg.TemplatesGrace) * time.Second,
	}, func(ctx context.Context, request template.Request) (*template.Template, error) {
		return boot(ctx, cfg, groups, request)
	})
	listener, err := template.Listen(cfg.TemplatesSocket)
	if err != nil {
		return err
	}
	go keeper.Sweep(ctx, sweepInterval, func() (map[string]bool, error) { return record.Tenants(cfg.RecordsDir) })
	err = template.Serve(ctx, listener, keeper)
	keeper.Close()
	ctx, cancel := context.WithTimeout(context.Background(), cgroupTimeout)
	defer cancel()
	return errors.Join(err, cgroup.Remove(ctx, groups))
}

func boot(ctx context.Context, cfg config.Config, groups []string, request template.Request) (_ *template.Template, err error) {
	uid, err := vmstate.LeaseUID(cfg.VMDir, "template", cfg.UIDBase, cfg.UIDCount)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, uid.Release()) }()
	spec := request.Spec()
	spec.UID, spec.GID, spec.Cgroups = uid.Value, uid.Value, groups
	return template.Make(ctx, qemu.New(), spec)
}
