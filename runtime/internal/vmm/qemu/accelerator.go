// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/channel"
	"hypernetes.org/runtime/internal/vmm"
)

const (
	kvmDevice = "/dev/kvm"
	// A guest that really runs under KVM sends its hello in a fraction of a second.
	trialTimeout = 10 * time.Second
)

// Probe describes how to find the accelerator of machines on this node.
type Probe struct {
	Requested  string // vmm.AcceleratorAuto, ...KVM or ...TCG
	GuestDir   string
	Executable string
	UID, GID   uint32 // of a trial machine
	// CacheFile keeps the answer until the node reboots or QEMU or the guest
	// changes. Its directory must exist and be writable by root only.
	CacheFile string
}

// Choice is the result of a Probe.
type Choice struct {
	Accelerator string `json:"accelerator"`
	TSCkHz      int    `json:"tsc_khz"` // of the host; for vmm.Spec
}

type cachedChoice struct {
	Key string `json:"key"`
	Choice
}

// ChooseAccelerator answers from the cache, or measures the time stamp counter
// (0.1 s) and, for auto, boots a guest with KVM: the device's presence is
// not enough, since nested virtualization may hang. Callers on the same node wait
// for each other.
func ChooseAccelerator(ctx context.Context, probe Probe) (Choice, error) {
	key, err := probe.key()
	if err != nil {
		return Choice{}, fmt.Errorf("choose the accelerator: %w", err)
	}
	if choice, ok := readChoice(probe.CacheFile, key); ok {
		return choice, nil
	}
	lock, err := os.OpenFile(probe.CacheFile+".lock", os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return Choice{}, fmt.Errorf("choose the accelerator: %w", err)
	}
	defer lock.Close()
	if err := lockFile(ctx, lock); err != nil {
		return Choice{}, fmt.Errorf("choose the accelerator: %w", err)
	}
	if choice, ok := readChoice(probe.CacheFile, key); ok {
		return choice, nil
	}
	choice := Choice{Accelerator: probe.Requested, TSCkHz: TSCkHz()}
	if probe.Requested == vmm.AcceleratorAuto {
		choice.Accelerator = vmm.AcceleratorTCG
		if probe.kvmBoots(ctx) {
			choice.Accelerator = vmm.AcceleratorKVM
		}
		if ctx.Err() != nil {
			return Choice{}, fmt.Errorf("choose the accelerator: %w", ctx.Err())
		}
	}
	return choice, writeChoice(probe.CacheFile, cachedChoice{key, choice})
}

// key names everything on which the answer depends.
func (p Probe) key() (string, error) {
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	manifest, err := os.ReadFile(filepath.Join(p.GuestDir, "manifest.json"))
	if err != nil {
		return "", fmt.Errorf("read the guest's manifest: %w", err)
	}
	program, err := os.Stat(p.Executable)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%q %q %q %q %d %d", p.Requested, bootID, manifest, p.Executable, program.Size(), program.ModTime().UnixNano())
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), nil
}

// kvmBoots tries to boot the real guest with KVM. Any failure means no.
func (p Probe) kvmBoots(ctx context.Context) bool {
	if _, err := os.Stat(kvmDevice); err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	machine, err := New().Start(ctx, vmm.Spec{
		ID: "trial", GuestDir: p.GuestDir, Executable: p.Executable, Accelerator: vmm.AcceleratorKVM,
		Memory: vmm.MinimumMemory, CPUs: 1, UID: p.UID, GID: p.GID,
	})
	if err != nil {
		return false
	}
	defer func() {
		_ = machine.Kill() // it was only a trial
		<-machine.Done()
	}()
	host, err := channel.Dial(ctx, machine.Channel())
	if err != nil {
		return false
	}
	_ = host.Close() // the machine is terminated anyway
	return true
}

func lockFile(ctx context.Context, file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func readChoice(path, key string) (Choice, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Choice{}, false
	}
	var cached cachedChoice
	if json.Unmarshal(text, &cached) != nil || cached.Key != key {
		return Choice{}, false
	}
	return cached.Choice, true
}

func writeChoice(path string, cached cachedChoice) error {
	text, err := json.Marshal(cached)
	if err != nil {
		return fmt.Errorf("store the accelerator: %w", err)
	}
	partial := path + ".partial"
	if err := os.WriteFile(partial, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("store the accelerator: %w", err)
	}
	if err := os.Rename(partial, path); err != nil {
		return fmt.Errorf("store the accelerator: %w", err)
	}
	return nil
}
