// SPDX-License-Identifier: Apache-2.0

package template

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hypernetes.org/runtime/internal/vmm"
)

// Request is everything in which a template must agree with its clones, and whose
// clones share its memory.
type Request struct {
	Owner             string `json:"owner"` // the project that shares it: never two tenants
	GuestDir          string `json:"guest_dir"`
	Executable        string `json:"executable"`
	Accelerator       string `json:"accelerator"`
	TSCkHz            int    `json:"tsc_khz"`
	TranslationBuffer int64  `json:"translation_buffer"`
	Memory            int64  `json:"memory"` // its own
	Room              int64  `json:"room"`   // what can be plugged into its clones
	CPUs              int    `json:"cpus"`
	MTU               int    `json:"mtu"`
	Offload           bool   `json:"offload"`
}

// RequestFor returns what a machine with a network card needs.
func RequestFor(owner string, spec vmm.Spec) (Request, error) {
	if owner == "" || spec.NIC == nil {
		return Request{}, errors.New("a machine without an owner or a network card is not cloned")
	}
	if spec.Memory < BaseMemory || spec.Memory > BaseMemory+Room {
		return Request{}, fmt.Errorf("a machine of %d MiB is not cloned: its size must be from %d to %d MiB",
			spec.Memory>>20, BaseMemory>>20, (BaseMemory+Room)>>20)
	}
	return Request{
		Owner: owner, GuestDir: spec.GuestDir, Executable: spec.Executable, Accelerator: spec.Accelerator, TSCkHz: spec.TSCkHz,
		TranslationBuffer: spec.TranslationBuffer, Memory: BaseMemory, Room: Room, CPUs: spec.CPUs, MTU: spec.NIC.MTU, Offload: spec.NIC.Offload,
	}, nil
}

// Spec returns the template's machine; its users and cgroups are the caller's.
func (r Request) Spec() vmm.Spec {
	return vmm.Spec{
		ID: "template", GuestDir: r.GuestDir, Executable: r.Executable, Accelerator: r.Accelerator, TSCkHz: r.TSCkHz,
		TranslationBuffer: r.TranslationBuffer, Memory: r.Memory, CPUs: r.CPUs,
		NIC: &vmm.NIC{MTU: r.MTU, Offload: r.Offload},
	}
}

// key adds what the names stand for now: a template does not outlive an update of
// the guest or of the monitor.
func (r Request) key() (string, error) {
	manifest, err := os.ReadFile(filepath.Join(r.GuestDir, "manifest.json"))
	if err != nil {
		return "", fmt.Errorf("read the guest's manifest: %w", err)
	}
	program, err := os.Stat(r.Executable)
	if err != nil {
		return "", fmt.Errorf("look at the monitor: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d", text, manifest, program.Size(), program.ModTime().UnixNano()))
	return hex.EncodeToString(sum[:]), nil
}
