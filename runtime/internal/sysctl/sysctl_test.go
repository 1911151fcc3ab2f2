// SPDX-License-Identifier: Apache-2.0

package sysctl

import "testing"

func TestAPodsParametersAreThoseOfItsNamespaces(t *testing.T) {
	for name, want := range map[string]bool{
		"net.core.somaxconn": true, "kernel.shm_rmid_forced": true, "kernel.msgmax": true, "kernel.sem": true, "fs.mqueue.msg_max": true,
		"kernel.panic": false, "kernel.semaphore": false, "kernel.sem_next_id": false, "vm.swappiness": false, "": false,
		"net.../../vm/swappiness": false, "net/core/somaxconn": false,
	} {
		if OfPod(name) != want {
			t.Errorf("%q: not %t", name, want)
		}
	}
}

func TestAParameterHasOneDefault(t *testing.T) {
	seen := map[string]bool{}
	for _, setting := range Defaults() {
		if seen[setting.Name] || setting.Value == "" {
			t.Errorf("%q is there twice or empty", setting.Name)
		}
		seen[setting.Name] = true
	}
}
