// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hypernetes.org/runtime/internal/sysctl"
)

// Sysctls sets kernel parameters, namespaced ones only.
func Sysctls(values map[string]string) error {
	for name, value := range values {
		path, err := sysctlPath(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("set sysctl %s: %w", name, err)
		}
	}
	return nil
}

func sysctlPath(name string) (string, error) {
	if !sysctl.OfPod(name) {
		return "", fmt.Errorf("sysctl %q does not belong to a pod", name)
	}
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")), nil
}

// parseDevices reads /proc/net/dev: two header lines, then "name: 16 numbers".
func parseDevices(text string) []Counters {
	var all []Counters
	for line := range strings.Lines(text) {
		name, rest, found := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !found || name == "lo" {
			continue
		}
		var c Counters
		var skip uint64
		_, err := fmt.Sscan(rest, &c.RxBytes, &c.RxPackets, &c.RxErrors, &c.RxDropped, &skip, &skip, &skip, &skip,
			&c.TxBytes, &c.TxPackets, &c.TxErrors, &c.TxDropped)
		if err != nil {
			continue
		}
		c.Name = name
		all = append(all, c)
	}
	return all
}

// Counters of one interface.
type Counters struct {
	Name                                    string
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// Devices returns the counters of all interfaces except lo.
func Devices() ([]Counters, error) {
	text, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		return nil, fmt.Errorf("read interface counters: %w", err)
	}
	return parseDevices(string(text)), nil
}
