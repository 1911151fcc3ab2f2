// SPDX-License-Identifier: Apache-2.0

// Package ident holds the form of the identifiers that containerd and kubelet
// give sandboxes, containers, execs and volumes.
package ident

// MaxLength is the longest identifier there is.
const MaxLength = 128

// Valid reports whether id is one. The form is containerd's (pkg/identifiers) and
// CNI's; it excludes path separators, "." and "..", so that an identifier may
// become the name of a file, and all that has a meaning in QEMU's arguments.
func Valid(id string) bool {
	if len(id) == 0 || len(id) > MaxLength {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '-' || c == '_' || c == '.'):
		default:
			return false
		}
	}
	return true
}
