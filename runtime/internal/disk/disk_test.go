// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/containerd/api/types"
)

const snapshots = "/var/lib/containerd/io.containerd.snapshotter.v1.erofs/snapshots"

func erofs(id string, options ...string) *types.Mount {
	return &types.Mount{Type: "erofs", Source: snapshots + "/" + id + "/layer.erofs", Options: append([]string{"ro", "loop"}, options...)}
}

func overlay(lower string, options ...string) *types.Mount {
	return &types.Mount{Type: "format/mkdir/overlay", Source: "overlay", Options: append([]string{
		"workdir=" + snapshots + "/9/work", "upperdir=" + snapshots + "/9/fs", "lowerdir=" + lower}, options...)}
}

func TestRootFileSystems(t *testing.T) {
	cases := []struct {
		name   string
		mounts []*types.Mount
		want   []string
		fault  string
	}{
		{name: "one layer", mounts: []*types.Mount{erofs("1"), overlay("{{ mount 0 }}")}, want: []string{"1"}},
		{name: "three layers come lowest first", mounts: []*types.Mount{erofs("3"), erofs("2"), erofs("1"), overlay("{{ overlay 0 2 }}")},
			want: []string{"1", "2", "3"}},
		{name: "an overlay option without meaning to the guest is dropped", mounts: []*types.Mount{erofs("1"), overlay("{{ mount 0 }}", "index=off")},
			want: []string{"1"}},
		{name: "nothing", fault: "no root file system"},
		{name: "a bind is refused", mounts: []*types.Mount{{Type: "bind", Source: "/"}}, fault: "without any layer"},
		{name: "another snapshotter is refused", mounts: []*types.Mount{{Type: "overlay", Source: "overlay"}}, fault: "snapshotter"},
		{name: "a bind among layers is refused", mounts: []*types.Mount{{Type: "bind", Source: "/"}, overlay("{{ mount 0 }}")}, fault: `"bind"`},
		{name: "a layer elsewhere is refused", mounts: []*types.Mount{{Type: "erofs", Source: "/tmp/1/layer.erofs"}, overlay("{{ mount 0 }}")}, fault: "ready-made"},
		{name: "a layer path with dots is refused", mounts: []*types.Mount{erofs("1/../../x"), overlay("{{ mount 0 }}")}, fault: "ready-made"},
		{name: "a layer of another name is refused",
			mounts: []*types.Mount{{Type: "erofs", Source: snapshots + "/1/fs"}, overlay("{{ mount 0 }}")}, fault: "ready-made"},
		{name: "merged layers are refused", mounts: []*types.Mount{erofs("1", "device=/x"), overlay("{{ mount 0 }}")}, fault: "merged"},
		{name: "dm-verity is refused", mounts: []*types.Mount{erofs("1", "X-containerd.dmverity=/x"), overlay("{{ mount 0 }}")}, fault: "verity"},
		{name: "an unknown layer option is refused", mounts: []*types.Mount{erofs("1", "dax"), overlay("{{ mount 0 }}")}, fault: "dax"},
		{name: "block mode is refused", mounts: []*types.Mount{{Type: "mkfs/ext4"}, erofs("1"), overlay("{{ mount 1 }}")}, fault: "block mode"},
		{name: "a layer that is left out is refused", mounts: []*types.Mount{erofs("2"), erofs("1"), overlay("{{ mount 0 }}")}, fault: "uses mounts"},
		{name: "a host path as lower layer is refused", mounts: []*types.Mount{erofs("1"), overlay("/etc")}, fault: "not understood"},
		{name: "two lists of lower layers are refused", mounts: []*types.Mount{erofs("1"), overlay("{{ mount 0 }}", "lowerdir=/etc")}, fault: "twice"},
		{name: "user namespaces are refused", mounts: []*types.Mount{erofs("1"), overlay("{{ mount 0 }}", "uidmap=0:1:2")}, fault: "hostUsers"},
		{name: "an unknown overlay option is refused", mounts: []*types.Mount{erofs("1"), overlay("{{ mount 0 }}", "lowerdir+=/etc")}, fault: "not supported"},
		{name: "a read-only view is refused", mounts: []*types.Mount{erofs("1"), {Type: "format/bind"}}, fault: "read-only"},
		{name: "an overlay without a writable layer is refused",
			mounts: []*types.Mount{erofs("1"), {Type: "overlay", Options: []string{"lowerdir={{ mount 0 }}"}}}, fault: "writable"},
		{name: "a writable layer elsewhere is refused", mounts: []*types.Mount{erofs("1"),
			{Type: "overlay", Options: []string{"lowerdir={{ mount 0 }}", "upperdir=/etc"}}}, fault: "writable layer"},
		{name: "the writable layer of no snapshot is refused", mounts: []*types.Mount{erofs("1"),
			{Type: "overlay", Options: []string{"lowerdir={{ mount 0 }}", "upperdir=" + snapshots + "/1/../../x/1/fs"}}}, fault: "writable layer"},
		{name: "too many layers are refused", mounts: slices.Repeat([]*types.Mount{erofs("1")}, maxLayers+2), fault: "at most"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseRootfs(snapshots, c.mounts)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("want an error that names %q, got %v", c.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range c.want {
				c.want[i] = snapshots + "/" + id + "/layer.erofs"
			}
			if !slices.Equal(got.Layers, c.want) || got.Upper != snapshots+"/9/fs" {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAScratchDiskIsSparseAndFormatted(t *testing.T) {
	dir := t.TempDir()
	path, err := NewScratch(t.Context(), dir, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	magic := make([]byte, 2)
	if _, err := file.ReadAt(magic, 1024+56); err != nil || magic[0] != 0x53 || magic[1] != 0xef {
		t.Fatalf("not ext4: %x, %v", magic, err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); info.Size() != 1<<30 || stat.Blocks*512 > 1<<20 {
		t.Fatalf("%d bytes take %d", info.Size(), stat.Blocks*512)
	}
}

func TestAScratchDiskOfAnEarlierMachineIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ScratchName)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if _, err := NewScratch(t.Context(), dir, 64<<20); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(old); err != nil || string(text) != "old" {
		t.Errorf("the earlier machine's disk holds %q, %v", text, err)
	}
}

// The kubelet creates directories in an emptyDir, by the names of subPaths.
func TestATenantsDirectoryInThePlaceOfAScratchDiskIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ScratchName), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := NewScratch(t.Context(), dir, 64<<20); err == nil {
		t.Errorf("%s became a disk", path)
	}
}

// What a limit promises can be written, whatever the file system needs.
func TestAScratchDiskHoldsWhatWasPromised(t *testing.T) {
	for _, usable := range []int64{1 << 20, 64 << 20, 600 << 20, 1 << 30, 10 << 30, 200 << 30} {
		size := WithOverhead(usable)
		path, err := NewScratch(t.Context(), t.TempDir(), size)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "dumpe2fs", "-h", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		numbers := map[string]int64{}
		for line := range strings.Lines(string(out)) {
			key, value, _ := strings.Cut(line, ":")
			if number, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				numbers[key] = number
			}
		}
		if free := numbers["Free blocks"] * numbers["Block size"]; free <= usable || size > usable+usable/20+64<<20 {
			t.Errorf("of %d bytes, %d are free of a disk of %d", usable, free, size)
		}
	}
}

func TestSerialsAreShortAndDiffer(t *testing.T) {
	a, b := Serial("/a"), Serial("/b")
	if a == b || len(a) > 20 || a != Serial("/a") {
		t.Fatalf("%q %q", a, b)
	}
}
