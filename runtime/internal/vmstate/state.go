// SPDX-License-Identifier: Apache-2.0

// Package vmstate records what one machine has on the host, before it has it, so
// that the clean-up after a killed shim finds and removes all of it.
package vmstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/ident"
)

const (
	version  = 1
	fileName = "state.json"
)

// State is what one machine has on the host. What is not listed needs no
// cleaning: the TAP is the agent's, the network namespace containerd's, and scratch
// disks are in directories that containerd and the kubelet remove.
type State struct {
	Version   int      `json:"version"`
	SandboxID string   `json:"sandbox_id"`
	Shim      Process  `json:"shim"`
	Monitor   Process  `json:"monitor"` // zero until started
	Cgroups   []string `json:"cgroups"`
	// ScratchSize is what the scratch disks may come to take together, in bytes.
	ScratchSize int64 `json:"scratch_size"`
	// Socket is the file at which containerd reaches the shim.
	Socket string `json:"socket"`
}

// outOfMemoryName is known to the agent too: hypernetes/agent/ports/sandboxes.py.
const outOfMemoryName = "out-of-memory.json"

// outOfMemory is what the agent reads when the pod's network is removed: the pod
// gets an event.
type outOfMemory struct {
	Used    int64 `json:"used"`    // bytes
	Allowed int64 `json:"allowed"` // bytes
}

// SaveOutOfMemory records that the node's kernel killed the machine for want of
// memory. It stays until the machine's directory is removed.
func SaveOutOfMemory(vmDir, id string, memory cgroup.Memory) error {
	dir, err := Dir(vmDir, id)
	if err != nil {
		return err
	}
	data, err := json.Marshal(outOfMemory{Used: memory.Peak, Allowed: memory.Limit})
	if err != nil {
		return fmt.Errorf("write the machine's end: %w", err)
	}
	return replace(dir, outOfMemoryName, data)
}

// Dir is a machine's directory.
func Dir(vmDir, id string) (string, error) {
	if !ident.Valid(id) {
		return "", fmt.Errorf("sandbox id %q is not a directory name", id)
	}
	return filepath.Join(vmDir, id), nil
}

// Save writes a machine's state, and creates its directory if needed.
func Save(vmDir string, state State) error {
	dir, err := Dir(vmDir, state.SandboxID)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the machine's directory: %w", err)
	}
	state.Version = version
	data, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("write the machine's state: %w", err)
	}
	return replace(dir, fileName, data)
}

func replace(dir, name string, data []byte) error {
	// No fsync: after a crash of the host there is no machine to clean up.
	next := filepath.Join(dir, "."+name)
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("write the machine's state: %w", err)
	}
	if err := os.Rename(next, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("write the machine's state: %w", err)
	}
	return nil
}

// Load reads a machine's state; fs.ErrNotExist when there is none.
func Load(vmDir, id string) (State, error) {
	var state State
	dir, err := Dir(vmDir, id)
	if err != nil {
		return state, err
	}
	data, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		return state, fmt.Errorf("read the machine's state: %w", err)
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return state, fmt.Errorf("parse the machine's state: %w", err)
	}
	if state.Version != version || state.SandboxID != id {
		return state, fmt.Errorf("the state of machine %s is version %d of %q", id, state.Version, state.SandboxID)
	}
	return state, nil
}

// List reads the states of the node's machines. One that cannot be read is
// omitted: the clean-up of its machine reports that.
func List(vmDir string) ([]State, error) {
	entries, err := os.ReadDir(vmDir)
	if err != nil {
		return nil, fmt.Errorf("list the machines: %w", err)
	}
	var states []State
	for _, entry := range entries {
		if state, err := Load(vmDir, entry.Name()); err == nil {
			states = append(states, state)
		}
	}
	return states, nil
}

// Clean terminates what is left of a machine and removes its traces: emulator, shim
// (never the calling process), control groups, directory. It continues after an
// error and may be called again; ctx bounds the waiting.
func Clean(ctx context.Context, vmDir, id string) error {
	dir, err := Dir(vmDir, id)
	if err != nil {
		return err
	}
	state, err := Load(vmDir, id)
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(dir) // killed between mkdir and rename: nothing was started yet
	}
	if err != nil {
		return err
	}
	// The emulator first: a shim that notices its exit may still report the containers' exits.
	faults := []error{state.Monitor.Kill(ctx), state.Shim.Kill(ctx), cgroup.Remove(ctx, state.Cgroups)}
	if err := os.Remove(state.Socket); state.Socket != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, fmt.Errorf("clean up: %w", err))
	}
	if err := errors.Join(faults...); err != nil {
		return err // the directory stays, so that the next attempt knows what to do
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the machine's directory: %w", err)
	}
	return nil
}
