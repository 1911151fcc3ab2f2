// SPDX-License-Identifier: Apache-2.0

// Package config reads the node's runtime settings, which the agent writes
// and the shim reads once per sandbox.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Path is where the agent writes the settings (mode 0644: they contain no secret).
const Path = "/etc/hypernetes/runtime.json"

// MiB is 2^20 bytes.
const MiB int64 = 1 << 20

// Bounds that keep a broken file from starting machines that cannot boot.
const (
	minMemory      = 80 * MiB // a guest of 64 MiB does not boot, 80 MiB does (measured)
	minScratchSize = 16 * MiB
	maxTranslation = 2048 * MiB
	minTranslation = 8 * MiB // see qemu.MinimumTranslationBuffer
)

// Config holds a node's runtime settings. Sizes are bytes.
type Config struct {
	GuestDir    string `json:"guest_dir"`   // vmlinux, initramfs, root.erofs, manifest.json
	QEMU        string `json:"qemu"`        // the emulator's executable
	Accelerator string `json:"accelerator"` // auto (by a trial boot), kvm or tcg
	// TranslationBuffer limits TCG's buffer of translated code, in bytes.
	TranslationBuffer int64 `json:"translation_buffer"`

	RecordsDir string `json:"records_dir"` // sandbox records, written by the agent
	VMDir      string `json:"vm_dir"`      // one directory per machine: sockets and state
	// ServicesDir has one file per namespace with its Services, written by the agent.
	ServicesDir string `json:"services_dir"`
	// ScratchSize is what a pod may write whose record does not state it. Scratch disks
	// are files below ContainerdRoot and KubeletDir.
	ScratchSize int64 `json:"scratch_size"`
	// Machines are started while what their pods may write is at most ScratchRatio times
	// the space for it: what they have and what is free, less the reserve.
	ScratchReserve int64   `json:"scratch_reserve"`
	ScratchRatio   float64 `json:"scratch_allocation_ratio"`

	DefaultMemory  int64  `json:"default_memory"`  // for a pod without a memory limit
	OverheadMemory int64  `json:"overhead_memory"` // what the guest itself needs on top of the limits
	UIDBase        uint32 `json:"uid_base"`        // first host UID for emulators
	UIDCount       uint32 `json:"uid_count"`       // number of UIDs: one per machine
	// Templates says who shares the memory of a saved machine: TemplatesProject, or
	// TemplatesOff, with which every machine boots.
	Templates       string `json:"templates"`
	TemplatesSocket string `json:"templates_socket"` // of the process that keeps them
	TemplatesCount  int    `json:"templates_count"`  // at most so many on the node
	TemplatesMemory int64  `json:"templates_memory"` // bytes that all may occupy
	TemplatesAge    int    `json:"templates_age"`    // seconds after which one is made again
	TemplatesIdle   int    `json:"templates_idle"`   // seconds without use after which one is dropped
	TemplatesGrace  int    `json:"templates_grace"`  // seconds that one outlives its project's last pod on the node
	KubeletDir      string `json:"kubelet_dir"`      // kubelet's root directory
	ContainerdRoot  string `json:"containerd_root"`  // containerd's persistent directory
}

// Who may share a template.
const (
	TemplatesOff     = "off"
	TemplatesProject = "project" // machines of one project
)

// Default returns the settings a node has when its file names none.
func Default() Config {
	return Config{
		GuestDir:          "/usr/lib/hypernetes/guest",
		QEMU:              "/usr/bin/qemu-system-x86_64",
		Accelerator:       "auto",
		TranslationBuffer: 64 * MiB,

		RecordsDir:      "/run/hypernetes/sandboxes",
		VMDir:           "/run/hypernetes/vm",
		ServicesDir:     "/run/hypernetes/services",
		ScratchSize:     10 << 30,
		ScratchReserve:  1 << 30,
		ScratchRatio:    1,
		DefaultMemory:   128 * MiB,
		OverheadMemory:  128 * MiB,
		UIDBase:         200000,
		UIDCount:        65536,
		Templates:       TemplatesOff,
		TemplatesSocket: "/run/hypernetes/templates.sock",
		TemplatesCount:  8,
		TemplatesMemory: 1 << 30,
		TemplatesAge:    24 * 3600,
		TemplatesIdle:   3600,
		TemplatesGrace:  300,

		KubeletDir:     "/var/lib/kubelet",
		ContainerdRoot: "/var/lib/containerd",
	}
}

// Load reads the settings at path over the defaults. A missing file means the
// defaults. Unknown keys are ignored, so that an agent may be newer than the
// shim of a running pod.
func Load(path string) (Config, error) {
	cfg := Default()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	if err != nil {
		return cfg, fmt.Errorf("read the runtime settings: %w", err)
	}
	if err := json.Unmarshal(data, &cfg); err != nil {
		return cfg, fmt.Errorf("parse the runtime settings %s: %w", path, err)
	}
	if err := cfg.validate(); err != nil {
		return cfg, fmt.Errorf("runtime settings %s: %w", path, err)
	}
	return cfg, nil
}

func (c Config) validate() error {
	for key, value := range map[string]string{
		"guest_dir": c.GuestDir, "qemu": c.QEMU, "records_dir": c.RecordsDir, "vm_dir": c.VMDir, "services_dir": c.ServicesDir,
		"templates_socket": c.TemplatesSocket, "kubelet_dir": c.KubeletDir, "containerd_root": c.ContainerdRoot,
	} {
		if !filepath.IsAbs(value) || filepath.Clean(value) != value {
			return fmt.Errorf("%s must be a clean absolute path, not %q", key, value)
		}
	}
	switch c.Accelerator {
	case "auto", "kvm", "tcg":
	default:
		return fmt.Errorf("accelerator must be auto, kvm or tcg, not %q", c.Accelerator)
	}
	if c.TranslationBuffer < minTranslation || c.TranslationBuffer > maxTranslation {
		return fmt.Errorf("translation_buffer must be between %d and %d bytes", minTranslation, maxTranslation)
	}
	if c.ScratchSize < minScratchSize {
		return fmt.Errorf("scratch_size must be at least %d bytes", minScratchSize)
	}
	if c.ScratchReserve < 0 || c.ScratchRatio <= 0 {
		return fmt.Errorf("scratch_reserve %d must not be negative, and scratch_allocation_ratio %g must be positive", c.ScratchReserve, c.ScratchRatio)
	}
	if c.Templates != TemplatesOff && c.Templates != TemplatesProject {
		return fmt.Errorf("templates must be off or project, not %q", c.Templates)
	}
	if c.TemplatesCount < 1 || c.TemplatesMemory < minMemory || c.TemplatesAge < 1 || c.TemplatesIdle < 1 || c.TemplatesGrace < 0 {
		return fmt.Errorf("templates_count, _age and _idle must be positive, _grace not negative, and templates_memory at least %d bytes", minMemory)
	}
	if c.DefaultMemory <= 0 || c.OverheadMemory < 0 || c.DefaultMemory+c.OverheadMemory < minMemory {
		return fmt.Errorf("default_memory and overhead_memory must sum to at least %d bytes", minMemory)
	}
	if c.UIDBase < 1000 || c.UIDCount == 0 || c.UIDBase > 1<<31-c.UIDCount {
		return fmt.Errorf("uid_base %d and uid_count %d must name unprivileged uids", c.UIDBase, c.UIDCount)
	}
	return nil
}
