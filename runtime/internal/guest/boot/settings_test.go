// SPDX-License-Identifier: Apache-2.0

package boot

import "testing"

func TestFreeMemoryIsReadInBytes(t *testing.T) {
	got, err := parseFree("MemTotal:         173912 kB\nMemFree:           99876 kB\nMemAvailable:     110204 kB\n")
	if err != nil || got != 99876<<10 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, text := range []string{"", "MemFree:\n", "MemFree: much kB\n"} {
		if got, err := parseFree(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
