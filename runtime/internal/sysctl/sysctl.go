// SPDX-License-Identifier: Apache-2.0

// Package sysctl defines which kernel parameters belong to a pod, and a guest's defaults
// for them: the host checks with it, the guest sets them from it.
package sysctl

import (
	"slices"
	"strings"
)

// Setting is one kernel parameter.
type Setting struct{ Name, Value string }

// Defaults are what software finds on an ordinary node, where the kubelet, systemd
// or containerd set it. A pod's own values come later and win. The table is also in
// doc/source/reference/guest.rst.
func Defaults() []Setting {
	return []Setting{
		// The kubelet's (pkg/kubelet/cm, setupKernelTunables).
		{"vm.overcommit_memory", "1"},
		{"vm.panic_on_oom", "0"},
		{"kernel.panic_on_oops", "1"},
		{"kernel.keys.root_maxkeys", "1000000"},
		{"kernel.keys.root_maxbytes", "25000000"},
		// containerd's for a pod: enable_unprivileged_ports and enable_unprivileged_icmp.
		{"net.ipv4.ip_unprivileged_port_start", "0"},
		{"net.ipv4.ping_group_range", "0 2147483647"},
		// systemd's and the distributions' (sysctl.d). Some follow from the machine's
		// memory otherwise, which is small.
		{"kernel.pid_max", "4194304"},
		{"vm.max_map_count", "1048576"},
		{"fs.file-max", "9223372036854775807"},
		{"fs.inotify.max_user_instances", "8192"},
		{"fs.inotify.max_user_watches", "524288"},
		{"fs.protected_hardlinks", "1"},
		{"fs.protected_symlinks", "1"},
		{"fs.protected_regular", "2"},
		{"fs.protected_fifos", "1"},
	}
}

// prefixes are Kubernetes' own list (pkg/apis/core, "namespaced sysctls"). In the
// guest these are the machine's own, which is the pod.
var prefixes = []string{"net.", "kernel.msg", "kernel.shm", "fs.mqueue."}

// OfPod reports whether a parameter, with dots between its parts, belongs to a pod.
func OfPod(name string) bool {
	// Without a slash no part of its path can be "..".
	if strings.Contains(name, "/") {
		return false
	}
	return name == "kernel.sem" || slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
