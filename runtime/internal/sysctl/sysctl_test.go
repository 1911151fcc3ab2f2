// SPDX-License-Identifier: Apache-2.0

package sysctl

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

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

// A boot test compares a guest with the table, and would be content with an empty one.
func TestTheTableIsTheDocumentedOne(t *testing.T) {
	text, err := os.ReadFile("../../../doc/source/reference/guest.rst")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), ".. list-table:: Kernel parameters")
	table, _, _ = strings.Cut(table, ".. list-table:: Limits")
	for _, setting := range Defaults() {
		if row := fmt.Sprintf("* - ``%s``\n     - %s\n", setting.Name, setting.Value); !strings.Contains(table, row) {
			t.Errorf("%s = %s is not documented", setting.Name, setting.Value)
		}
	}
	if documented := strings.Count(table, "* - ``"); documented != len(Defaults()) || documented == 0 {
		t.Errorf("%d are documented, %d are set", documented, len(Defaults()))
	}
}
