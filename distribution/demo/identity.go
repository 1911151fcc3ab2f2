// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"strings"
)

// Identity is what distinguishes one machine from another, as seen from inside.
type Identity struct {
	Hostname string `json:"hostname"`
	// Kernel is the release, as in uname -r.
	Kernel string `json:"kernel"`
	// BootID differs between any two boots, so that two pods with the same one
	// share a kernel.
	BootID string `json:"boot_id"`
	// CommandLine is the kernel's.
	CommandLine string `json:"command_line"`
	// Addresses are those of all interfaces but the loopback, with prefix lengths.
	Addresses []string `json:"addresses"`
}

// identify reads the identity; what cannot be read stays empty.
func identify() Identity {
	hostname, _ := os.Hostname()
	return Identity{
		Hostname:    hostname,
		Kernel:      readLine("/proc/sys/kernel/osrelease"),
		BootID:      readLine("/proc/sys/kernel/random/boot_id"),
		CommandLine: readLine("/proc/cmdline"),
		Addresses:   addresses(),
	}
}

func readLine(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

func addresses() []string {
	found := []string{}
	all, _ := net.InterfaceAddrs()
	for _, address := range all {
		if network, ok := address.(*net.IPNet); ok && !network.IP.IsLoopback() && !network.IP.IsLinkLocalUnicast() {
			found = append(found, network.String())
		}
	}
	return found
}

func show(context.Context, []string) error {
	return json.NewEncoder(os.Stdout).Encode(identify())
}
