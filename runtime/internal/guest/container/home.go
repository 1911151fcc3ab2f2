// SPDX-License-Identifier: Apache-2.0

package container

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	homeVariable = "HOME="
	defaultHome  = "/"
	// It is a tenant's file: a directory of a million users has its home directories elsewhere.
	passwdBytes = 16 << 20
)

// location is a file below a directory that a tenant fills: no link in it leads out.
type location struct{ root, name string }

// passwdOf returns where a container to come will find /etc/passwd: in its image or in a volume.
func passwdOf(place placement) location {
	found := location{place.rootfs, "etc/passwd"}
	for _, b := range place.binds {
		switch path.Clean(b.destination) {
		case "/etc/passwd":
			return location{filepath.Dir(b.source), filepath.Base(b.source)}
		case "/etc":
			found = location{b.source, "passwd"}
		}
	}
	return found
}

// passwdIn returns where a running container finds it.
func passwdIn(pid int) location {
	return location{fmt.Sprintf("/proc/%d/root", pid), "etc/passwd"}
}

// completeHome sets HOME where it is missing or empty, as runc does: the user's home
// directory, or / for a user that /etc/passwd does not list, where crun leaves it out.
func completeHome(process *specs.Process, passwd location) {
	kept := process.Env[:0:0]
	for _, variable := range process.Env {
		if value, found := strings.CutPrefix(variable, homeVariable); found && value != "" {
			return
		} else if !found {
			kept = append(kept, variable)
		}
	}
	process.Env = append(kept, homeVariable+passwd.home(process.User.UID))
}

func (l location) home(uid uint32) string {
	file, err := l.open()
	if err != nil {
		return defaultHome // many images have none
	}
	defer file.Close()
	return homeIn(io.LimitReader(file, passwdBytes), uid)
}

func (l location) open() (*os.File, error) {
	root, err := os.Open(l.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), l.name, &unix.OpenHow{
		// Not a pipe that nobody writes to.
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), l.name), nil
}

// homeIn looks a user up in the format of passwd(5).
func homeIn(passwd io.Reader, uid uint32) string {
	wanted := strconv.FormatUint(uint64(uid), 10)
	lines := bufio.NewScanner(passwd)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) >= 6 && fields[2] == wanted && fields[5] != "" {
			return fields[5]
		}
	}
	return defaultHome
}
