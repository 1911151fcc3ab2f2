// SPDX-License-Identifier: Apache-2.0

package qemu

import "testing"

func TestANumberIsUsedAgainWhenItsDiskIsGone(t *testing.T) {
	taken := map[string]int{}
	for _, serial := range []string{"a", "b", "c"} {
		taken[serial] = freeSet(taken)
	}
	if taken["a"] != firstSet+1 || taken["c"] != firstSet+3 {
		t.Errorf("got %v", taken)
	}
	delete(taken, "b")
	if got := freeSet(taken); got != firstSet+2 {
		t.Errorf("got %d", got)
	}
}
