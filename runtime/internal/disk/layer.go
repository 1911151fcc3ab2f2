// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"encoding/hex"
	"hash/fnv"
)

// Serial names a layer's disk inside the machine: stable for a path, and short
// enough for SCSI (20 bytes shown by sysfs).
func Serial(path string) string {
	hash := fnv.New64a()
	hash.Write([]byte(path)) // never fails: see hash.Hash
	return "l" + hex.EncodeToString(hash.Sum(nil))
}
