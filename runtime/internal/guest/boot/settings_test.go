// SPDX-License-Identifier: Apache-2.0

package boot

import "testing"

func TestFreeMemoryIsReadInBytes(t *testing.T) {
	got, err := parseMemory("MemTotal:         173912 kB\nMemFree:           99876 kB\nMemAvailable:     110204 kB\n", "MemFree")
	if err != nil || got != 99876<<10 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, text := range []string{"", "MemFree:\n", "MemFree: much kB\n"} {
		if got, err := parseMemory(text, "MemFree"); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestParametersGrowWithTheMemory(t *testing.T) {
	if got, err := scale("1500\t2000\t3000\n", 640<<20, 128<<20); err != nil || got != "7500 10000 15000" {
		t.Errorf("in proportion: %q, %v", got, err)
	}
	for text, want := range map[string]string{"4096 131072 1048576\n": "4096 131072 5242880", "4096 131072 6291456": "4096 131072 6291456"} {
		if got, err := enlarge(text, 5<<20); err != nil || got != want {
			t.Errorf("a maximum: %q, %v", got, err)
		}
	}
	if got, err := scale("many", 2, 1); err == nil {
		t.Errorf("got %q", got)
	}
}
