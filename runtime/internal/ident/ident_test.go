// SPDX-License-Identifier: Apache-2.0

package ident

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentifiers(t *testing.T) {
	for id, valid := range map[string]bool{
		"a": true, "0f-_.Z": true, strings.Repeat("a", MaxLength): true,
		"": false, ".": false, "..": false, ".a": false, "-a": false, "a/b": false, "a,b": false, "a b": false, "a\n": false, "ä": false,
		strings.Repeat("a", MaxLength+1): false,
	} {
		if Valid(id) != valid {
			t.Errorf("%q is valid: %v", id, !valid)
		}
	}
}

// FuzzValid: an identifier becomes the name of directories.
func FuzzValid(f *testing.F) {
	f.Add("..")
	f.Fuzz(func(t *testing.T, id string) {
		if Valid(id) && filepath.Dir(filepath.Join("/dir", id)) != "/dir" {
			t.Fatalf("%q is not the name of a file", id)
		}
	})
}
