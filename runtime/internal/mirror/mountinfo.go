// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// Mountinfo returns, for each mount point of this process, the mount's root
// within its file system; of several on one place the last, which is on top.
func Mountinfo() (map[string]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	defer file.Close()
	return parseMountinfo(file)
}

func parseMountinfo(r io.Reader) (map[string]string, error) {
	roots := map[string]string{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 64<<10)
	for lines.Scan() {
		// 36 35 98:0 /root /mount/point options … (proc_pid_mountinfo(5))
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			return nil, fmt.Errorf("mount table line %q is too short", lines.Text())
		}
		roots[unescape(fields[4])] = unescape(fields[3])
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	return roots, nil
}

// unescape undoes the octal escapes of the mount table.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
