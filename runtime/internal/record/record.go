// SPDX-License-Identifier: Apache-2.0

// Package record reads sandbox records: what the agent knows about a pod's
// network and has written before the CNI answer reached containerd.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"hypernetes.org/runtime/internal/ident"
)

// Version is the only record layout this shim reads.
const Version = 1

// maxSize bounds a record; real ones are under 2 KiB.
const maxSize = 64 << 10

// ErrMissing is returned if the agent has not written a record for the sandbox.
var ErrMissing = errors.New("no sandbox record: the pod's network was not set up by hypernetes-cni")

// Route is one route of the pod.
type Route struct {
	Destination netip.Prefix `json:"destination"`
	Gateway     netip.Addr   `json:"gateway"`
}

// Record is one pod's network, as the agent describes it.
type Record struct {
	Version      int            `json:"version"`
	SandboxID    string         `json:"sandbox_id"`
	PodUID       string         `json:"pod_uid"`
	PodNamespace string         `json:"pod_namespace"`
	PodName      string         `json:"pod_name"`
	NamespaceID  string         `json:"namespace_id"`
	ProjectID    string         `json:"project_id"` // "": the agent does not know it
	PortID       string         `json:"port_id"`
	TAP          string         `json:"tap"`
	MAC          string         `json:"mac"`
	MTU          int            `json:"mtu"`
	Addresses    []netip.Prefix `json:"addresses"`
	Routes       []Route        `json:"routes"`
	NameServers  []netip.Addr   `json:"name_servers"`
	Search       []string       `json:"search"`
	// Offload says whether the machine's network card may leave checksums and
	// segmentation to the host. False with a user-space Open vSwitch.
	Offload bool `json:"offload"`
	// ScratchSize is how much the pod may write, in bytes, by its
	// limits.ephemeral-storage. 0: not known, the node's setting decides.
	ScratchSize int64 `json:"scratch_size"`
	// MemoryBytes and CPUs are the machine's size for its containers, by what each of
	// them states. 0: not known, the kubelet's sums decide.
	MemoryBytes int64 `json:"memory_bytes"`
	CPUs        int   `json:"cpus"`
}

var (
	// An interface name as Linux has it: at most 15 bytes, no slash, no space.
	tapName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`)
)

// Tenant is who may share memory with the pod: its project, or where that is not known
// its namespace, which is less.
func (r Record) Tenant() string {
	if r.ProjectID == "" {
		return r.NamespaceID
	}
	return r.ProjectID
}

// Tenants returns whose sandboxes have a record in dir, which exist from before a
// machine starts until it is gone. A record that cannot be read is omitted.
func Tenants(dir string) (map[string]bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the sandbox records: %w", err)
	}
	found := map[string]bool{}
	for _, entry := range entries {
		if record, err := Load(dir, strings.TrimSuffix(entry.Name(), ".json")); err == nil {
			found[record.Tenant()] = true
		}
	}
	return found, nil
}

// Load reads and checks the record of a sandbox in dir.
func Load(dir, id string) (Record, error) {
	if !ident.Valid(id) {
		return Record{}, fmt.Errorf("sandbox id %q is not a file name", id)
	}
	file, err := os.Open(filepath.Join(dir, id+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("sandbox %s: %w", id, ErrMissing)
	}
	if err != nil {
		return Record{}, fmt.Errorf("open the sandbox record: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return Record{}, fmt.Errorf("read the sandbox record: %w", err)
	}
	record, err := parse(data)
	if err != nil {
		return Record{}, fmt.Errorf("sandbox record %s: %w", id, err)
	}
	if record.SandboxID != id {
		return Record{}, fmt.Errorf("sandbox record %s names sandbox %q", id, record.SandboxID)
	}
	return record, nil
}

func parse(data []byte) (Record, error) {
	var record Record
	if len(data) > maxSize {
		return record, fmt.Errorf("longer than %d bytes", maxSize)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return record, err
	}
	if record.Version != Version {
		return record, fmt.Errorf("version %d is not %d", record.Version, Version)
	}
	if record.TAP == "" {
		return record, errors.New("has no tap: a pod without a port is not started")
	}
	if !tapName.MatchString(record.TAP) {
		return record, fmt.Errorf("tap %q is not an interface name", record.TAP)
	}
	if mac, err := net.ParseMAC(record.MAC); err != nil || len(mac) != 6 {
		return record, fmt.Errorf("mac %q is not an Ethernet address", record.MAC)
	}
	if record.MTU < 576 || record.MTU > 65535 {
		return record, fmt.Errorf("mtu %d is out of range", record.MTU)
	}
	if record.ScratchSize < 0 {
		return record, fmt.Errorf("scratch_size %d is negative", record.ScratchSize)
	}
	if record.MemoryBytes < 0 || record.CPUs < 0 {
		return record, fmt.Errorf("memory_bytes %d or cpus %d is negative", record.MemoryBytes, record.CPUs)
	}
	if len(record.Addresses) == 0 {
		return record, errors.New("has no address")
	}
	for _, address := range record.Addresses {
		if !address.IsValid() {
			return record, errors.New("has an invalid address")
		}
	}
	for _, route := range record.Routes {
		if !route.Destination.IsValid() || !route.Gateway.IsValid() {
			return record, errors.New("has an invalid route")
		}
	}
	return record, nil
}
