// SPDX-License-Identifier: Apache-2.0

package boot

import "testing"

func TestAModulesNameIsTakenFromItsFile(t *testing.T) {
	for path, want := range map[string]string{
		"/modules/rest-01-scsi_mod.ko":      "scsi_mod",
		"/modules/channel-05-virtio_pci.ko": "virtio_pci",
		"erofs.ko":                          "erofs",
	} {
		if got := moduleName(path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
}
