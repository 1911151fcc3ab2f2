// SPDX-License-Identifier: Apache-2.0

package volume

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

// directories are scratch disks that need no machine.
type directories struct{}

func (directories) Mount(_, target string) error { return os.Mkdir(target, 0o711) }
func (directories) Unmount(target string) error  { return os.Remove(target) }

func newTestSet(t *testing.T) (*Set, string) {
	t.Helper()
	dir := t.TempDir()
	files := filepath.Join(dir, "files")
	empty := filepath.Join(dir, "empty")
	for _, made := range []string{files, empty} {
		if err := os.Mkdir(made, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	set := NewSet(Dirs{Files: files, Empty: empty, Memory: dir, Shared: dir}, directories{})
	err := set.Create(&guestv1.CreateVolumeRequest{
		Id: "v", Kind: guestv1.CreateVolumeRequest_FILES, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, filepath.Join(files, "v")
}

func file(path, text string) *guestv1.FileEntry {
	return &guestv1.FileEntry{
		Path: path, Mode: 0o640, Data: []byte(text), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()),
	}
}

func dir(path string) *guestv1.FileEntry {
	return &guestv1.FileEntry{
		Path: path, Type: guestv1.FileEntry_DIRECTORY, Mode: 0o755, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()),
	}
}

func link(path, target string) *guestv1.FileEntry {
	return &guestv1.FileEntry{
		Path: path, Type: guestv1.FileEntry_SYMLINK, Target: target, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()),
	}
}

func whole(entries ...*guestv1.FileEntry) *guestv1.PutFilesRequest {
	return &guestv1.PutFilesRequest{VolumeId: "v", First: true, Final: true, Entries: entries}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAVolumeMirrorsWhatTheHostSent(t *testing.T) {
	set, path := newTestSet(t)
	for _, version := range []string{"1", "2"} {
		name := "..2026_" + version
		if err := set.Put(whole(dir(name), file(name+"/key", "value "+version), link("key", "..data/key"), link("..data", name))); err != nil {
			t.Fatal(err)
		}
		if got := content(t, filepath.Join(path, "key")); got != "value "+version {
			t.Errorf("got %q", got)
		}
	}
	if _, err := os.Lstat(filepath.Join(path, "..2026_1")); !os.IsNotExist(err) {
		t.Error("the old directory is still there")
	}
	if err := set.Put(whole(file("..data", "now a file"))); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestALargeFileComesInParts(t *testing.T) {
	set, path := newTestSet(t)
	first := file("big", "one ")
	first.More = true
	if err := set.Put(&guestv1.PutFilesRequest{VolumeId: "v", First: true, Entries: []*guestv1.FileEntry{first}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(path, "big")); !os.IsNotExist(err) {
		t.Error("half a file is seen")
	}
	if err := set.Put(&guestv1.PutFilesRequest{VolumeId: "v", Final: true, Entries: []*guestv1.FileEntry{file("big", "two")}}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, filepath.Join(path, "big")); got != "one two" {
		t.Errorf("got %q", got)
	}
}

func TestATransactionMayBeginAnew(t *testing.T) {
	set, path := newTestSet(t)
	half := file("a", "half")
	half.More = true
	if err := set.Put(&guestv1.PutFilesRequest{VolumeId: "v", First: true, Entries: []*guestv1.FileEntry{half}}); err != nil {
		t.Fatal(err)
	}
	if err := set.Put(whole(file("b", "whole"))); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 1 || entries[0].Name() != "b" {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestAFileIsWrittenInPlaceWhenAsked(t *testing.T) {
	set, path := newTestSet(t)
	if err := set.Put(whole(file("hosts", "a long first text"))); err != nil {
		t.Fatal(err)
	}
	mounted, err := os.Open(filepath.Join(path, "hosts"))
	if err != nil {
		t.Fatal(err)
	}
	defer mounted.Close()
	next := file("hosts", "second")
	next.InPlace = true
	if err := set.Put(whole(next)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 32)
	if n, _ := mounted.Read(text); string(text[:n]) != "second" {
		t.Errorf("who had it open sees %q", text[:n])
	}
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	half := file("a", "half")
	half.More = true
	for name, request := range map[string]*guestv1.PutFilesRequest{
		"out of the volume": whole(file("../x", "")),
		"absolute":          whole(file("/x", "")),
		"not clean":         whole(file("a/../b", "")),
		"the top":           whole(dir(".")),
		"empty":             whole(file("", "")),
		"incomplete":        whole(half),
		"interrupted":       whole(half, file("b", "")),
		"never begun":       {VolumeId: "v", Final: true},
	} {
		t.Run(name, func(t *testing.T) {
			set, _ := newTestSet(t)
			if err := set.Put(request); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestALinkDoesNotLeadOutOfTheVolume(t *testing.T) {
	set, path := newTestSet(t)
	secret := filepath.Join(filepath.Dir(path), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := set.Put(whole(link("out", "../secret"), link("up", ".."))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := set.Get("v", "out", 100); err == nil {
		t.Error("Get followed it")
	}
	if _, err := set.Source("v", "up/secret", false); err == nil {
		t.Error("Source followed it")
	}
	if _, err := set.Source("v", "up/made", true); err == nil {
		t.Error("a directory was created outside")
	}
}

func TestTheEndOfALongFileIsRead(t *testing.T) {
	set, _ := newTestSet(t)
	if err := set.Put(whole(file("log", "0123456789"))); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[uint32]string{0: "", 3: "789", 10: "0123456789", 11: "0123456789"} {
		data, truncated, err := set.Get("v", "log", limit)
		if err != nil || string(data) != want || truncated != (limit < 10) {
			t.Errorf("at most %d: %q, %t, %v", limit, data, truncated, err)
		}
	}
	if _, _, err := set.Get("v", "missing", 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
}

func TestVolumesAreMadeOnceAndKnownByID(t *testing.T) {
	set, _ := newTestSet(t)
	for name, request := range map[string]*guestv1.CreateVolumeRequest{
		"path as id":   {Id: "../v", Kind: guestv1.CreateVolumeRequest_FILES},
		"other kind":   {Id: "v", Kind: guestv1.CreateVolumeRequest_EMPTY_DIR},
		"no kind":      {Id: "w"},
		"reserved":     {Id: SharedMemory, Kind: guestv1.CreateVolumeRequest_FILES},
		"unknown kind": {Id: "w", Kind: 99},
	} {
		if err := set.Create(request); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := set.Create(&guestv1.CreateVolumeRequest{Id: "v", Kind: guestv1.CreateVolumeRequest_FILES}); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := set.Source("w", "", false); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestAnEmptyDirectoryHasTheModeOfTheHost(t *testing.T) {
	set, _ := newTestSet(t)
	err := set.Create(&guestv1.CreateVolumeRequest{
		Id: "e", Kind: guestv1.CreateVolumeRequest_EMPTY_DIR, Mode: 0o2775, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()),
	})
	if err != nil {
		t.Fatal(err)
	}
	path, err := set.Source("e", "", false)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeDir|os.ModeSetgid|0o775 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// As the kubelet creates what a container mounts of an emptyDir.
func TestASubPathHasTheModeAndGroupOfItsVolume(t *testing.T) {
	for name, test := range map[string]struct{ volume, want os.FileMode }{
		"without fsGroup": {0o777, 0o777},
		"with fsGroup":    {0o777 | os.ModeSetgid, 0o777 | os.ModeSetgid},
		"closed":          {0o750, 0o750},
	} {
		t.Run(name, func(t *testing.T) {
			set, _ := newTestSet(t)
			group := os.Getgid()
			if os.Getuid() == 0 {
				group = 2000
			}
			bits := uint32(test.volume.Perm())
			if test.volume&os.ModeSetgid != 0 {
				bits |= 0o2000
			}
			must(t, set.Create(&guestv1.CreateVolumeRequest{Id: "e", Kind: guestv1.CreateVolumeRequest_EMPTY_DIR, Mode: bits,
				Uid: uint32(os.Getuid()), Gid: uint32(group)}))
			for _, sub := range []string{"part", "a/b"} {
				path, err := set.Source("e", sub, true)
				must(t, err)
				info, err := os.Stat(path)
				must(t, err)
				if info.Mode() != os.ModeDir|test.want {
					t.Errorf("%s has mode %v", sub, info.Mode())
				}
				if got := int(info.Sys().(*syscall.Stat_t).Gid); test.volume&os.ModeSetgid != 0 && got != group {
					t.Errorf("%s has group %d", sub, got)
				}
			}
		})
	}
}

func TestAFileOfAVolumeIsMountedAsOne(t *testing.T) {
	set, _ := newTestSet(t)
	must(t, set.Create(&guestv1.CreateVolumeRequest{Id: "e", Kind: guestv1.CreateVolumeRequest_EMPTY_DIR,
		Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}))
	whole, err := set.Source("e", "", false)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(whole, "app.conf"), []byte("x"), 0o600))
	must(t, os.Symlink("app.conf", filepath.Join(whole, "link")))
	for _, sub := range []string{"app.conf", "link"} {
		path, err := set.Source("e", sub, true)
		must(t, err)
		if content(t, path) != "x" {
			t.Errorf("%s is something else", sub)
		}
	}
	if _, err := set.Source("e", "app.conf/below", true); err == nil {
		t.Error("a directory was made in a file")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
