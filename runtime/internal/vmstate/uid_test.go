// SPDX-License-Identifier: Apache-2.0

package vmstate

import "testing"

func TestMachinesNeverShareAUID(t *testing.T) {
	dir := t.TempDir()
	seen := map[uint32]*UID{}
	for range 4 {
		uid, err := LeaseUID(dir, "same", 200000, 4)
		if err != nil {
			t.Fatal(err)
		}
		if seen[uid.Value] != nil || uid.Value < 200000 || uid.Value >= 200004 {
			t.Fatalf("uid %d", uid.Value)
		}
		seen[uid.Value] = uid
	}
	if _, err := LeaseUID(dir, "same", 200000, 4); err == nil {
		t.Fatal("a fifth of four")
	}
	if err := seen[200002].Release(); err != nil {
		t.Fatal(err)
	}
	uid, err := LeaseUID(dir, "other", 200000, 4)
	if err != nil || uid.Value != 200002 {
		t.Fatalf("%v, %v", uid, err)
	}
}
