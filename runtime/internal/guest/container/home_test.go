// SPDX-License-Identifier: Apache-2.0

package container

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// runc's getUserHome and prepareEnv are the reference.
func TestHomeIsTheUsersOrTheRoot(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n\n# comment\napp:x:7:7::/srv/app:\nempty:x:8:8:::\nshort:x:9\n")
	for name, item := range map[string]struct {
		uid         uint32
		given, want []string
	}{
		"listed":             {7, []string{"A=1"}, []string{"A=1", "HOME=/srv/app"}},
		"root":               {0, nil, []string{"HOME=/root"}},
		"not listed":         {1000, []string{"A=1"}, []string{"A=1", "HOME=/"}},
		"no directory":       {8, nil, []string{"HOME=/"}},
		"a line too short":   {9, nil, []string{"HOME=/"}},
		"given":              {7, []string{"HOME=/given"}, []string{"HOME=/given"}},
		"given, but empty":   {7, []string{"HOME=", "A=1"}, []string{"A=1", "HOME=/srv/app"}},
		"another's variable": {7, []string{"HOMEPAGE=x"}, []string{"HOMEPAGE=x", "HOME=/srv/app"}},
	} {
		process := &specs.Process{Env: item.given, User: specs.User{UID: item.uid}}
		completeHome(process, location{root, "etc/passwd"})
		if !slices.Equal(process.Env, item.want) {
			t.Errorf("%s: got %q, want %q", name, process.Env, item.want)
		}
	}
}

func TestHomeIsReadWhereTheContainerWillFindIt(t *testing.T) {
	work := t.TempDir()
	rootfs, etc, data := filepath.Join(work, "rootfs"), filepath.Join(work, "etc"), filepath.Join(work, "data")
	write(t, filepath.Join(rootfs, "etc/passwd"), "a:x:1:1::/image:\n")
	write(t, filepath.Join(etc, "..data/passwd"), "a:x:1:1::/volume:\n")
	link(t, "..data/passwd", filepath.Join(etc, "passwd"))
	write(t, filepath.Join(data, "users"), "a:x:1:1::/file:\n")
	for name, item := range map[string]struct {
		binds []bind
		want  string
	}{
		"the image's":         {[]bind{{source: data, destination: "/data"}}, "/image"},
		"a volume's at /etc":  {[]bind{{source: etc, destination: "/etc/"}}, "/volume"},
		"a file of a volume":  {[]bind{{source: filepath.Join(data, "users"), destination: "/etc/passwd"}, {source: etc, destination: "/etc"}}, "/file"},
		"a volume without it": {[]bind{{source: data, destination: "/etc"}}, "/"},
	} {
		if got := passwdOf(placement{rootfs: rootfs, binds: item.binds}).home(1); got != item.want {
			t.Errorf("%s: got %q, want %q", name, got, item.want)
		}
	}
}

// What an image holds is a tenant's: a link in it is one of the container, and a pipe keeps nobody waiting.
func TestAnImagesLinksStayInIt(t *testing.T) {
	work := t.TempDir()
	write(t, filepath.Join(work, "outside"), "a:x:1:1::/outside:\n")
	for name, item := range map[string]struct{ target, want string }{
		"absolute, in the image": {"/lib/passwd", "/inside"},
		"leads out":              {"../../../outside", "/"},
		"leads to the guest's":   {filepath.Join(work, "outside"), "/"},
	} {
		rootfs := filepath.Join(t.TempDir(), "rootfs")
		write(t, filepath.Join(rootfs, "lib/passwd"), "a:x:1:1::/inside:\n")
		link(t, item.target, filepath.Join(rootfs, "etc/passwd"))
		if got := passwdOf(placement{rootfs: rootfs}).home(1); got != item.want {
			t.Errorf("%s: got %q, want %q", name, got, item.want)
		}
	}
	rootfs := t.TempDir()
	if err := os.Mkdir(filepath.Join(rootfs, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(rootfs, "etc/passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := passwdOf(placement{rootfs: rootfs}).home(1); got != "/" {
		t.Errorf("a pipe: got %q", got)
	}
}
