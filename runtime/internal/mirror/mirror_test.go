// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/opencontainers/runtime-spec/specs-go"
)

const sandboxDir = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/abc"

// pod makes a kubelet directory with one volume of each kind.
func pod(t *testing.T) (Pod, string) {
	t.Helper()
	kubelet := t.TempDir()
	home := filepath.Join(kubelet, "pods", "u1")
	for _, dir := range []string{"volumes/kubernetes.io~configmap/cm", "volumes/kubernetes.io~empty-dir/cache", "volumes/kubernetes.io~csi/pv"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mounts := map[string]string{
		home + "/volume-subpaths/cache/c/0": "/var/kubelet/pods/u1/volumes/kubernetes.io~empty-dir/cache/a/b",
		home + "/volume-subpaths/cm/c/1":    "/var/kubelet/pods/u1/volumes/kubernetes.io~configmap/cm/..data/key",
		home + "/volume-subpaths/cache/c/2": "/etc",
	}
	return Pod{KubeletDir: kubelet, UID: "u1", SandboxDir: sandboxDir,
		Mountinfo: func() (map[string]string, error) { return mounts, nil }}, home
}

func TestAVolumeHasTheModeOfItsDirectoryOnTheHost(t *testing.T) {
	p, home := pod(t)
	for name, mode := range map[string]os.FileMode{
		"kubernetes.io~configmap/cm": 0o777 | os.ModeSetgid, "kubernetes.io~secret/s": 0o777 | os.ModeSticky,
		"kubernetes.io~projected/p": 0o777 | os.ModeSticky | os.ModeSetgid, "kubernetes.io~downward-api/d": 0o750,
		"kubernetes.io~empty-dir/cache": 0o770,
	} {
		dir := filepath.Join(home, "volumes", name)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		volume, err := p.Classify(specs.Mount{Source: dir, Destination: "/v", Options: []string{"rbind", "ro"}})
		stat := info.Sys().(*syscall.Stat_t)
		if err != nil || uint32(volume.Mode) != stat.Mode&0o7777 || volume.UID != stat.Uid || volume.GID != stat.Gid {
			t.Errorf("%s: mode %o of %d:%d, %v", name, volume.Mode, volume.UID, volume.GID, err)
		}
	}
}

func TestClassify(t *testing.T) {
	p, home := pod(t)
	cases := []struct {
		name, source string
		options      []string
		kind         Kind
		sub, fault   string
	}{
		{name: "a ConfigMap", source: home + "/volumes/kubernetes.io~configmap/cm", kind: Files},
		{name: "a subPath of a ConfigMap", source: home + "/volume-subpaths/cm/c/1", kind: Files, sub: "..data/key"},
		{name: "an emptyDir", source: home + "/volumes/kubernetes.io~empty-dir/cache", kind: EmptyDir},
		{name: "a subPath of an emptyDir", source: home + "/volume-subpaths/cache/c/0", kind: EmptyDir, sub: "a/b"},
		{name: "the hosts file", source: home + "/etc-hosts", kind: File, sub: FileName},
		{name: "the termination log", source: home + "/containers/c/0123", kind: Log, sub: FileName},
		{name: "containerd's resolv.conf", source: sandboxDir + "/resolv.conf", kind: File, sub: FileName},
		{name: "a host path", source: "/etc/shadow", fault: "host path"},
		{name: "the kubelet's own directory", source: p.KubeletDir + "/pki/key", fault: "host path"},
		{name: "another pod's volume", source: p.KubeletDir + "/pods/u2/volumes/kubernetes.io~secret/s", fault: "host path"},
		{name: "another pod whose uid begins alike", source: home + "1/volumes/kubernetes.io~secret/s", fault: "host path"},
		{name: "another sandbox's file", source: filepath.Dir(sandboxDir) + "/abd/hosts", fault: "host path"},
		{name: "another file of the sandbox", source: sandboxDir + "/secret", fault: "host path"},
		{name: "an unclean path", source: home + "/volumes/../../u2/etc-hosts", fault: "unclean"},
		{name: "an image volume", source: "/run/containerd/io.containerd.grpc.v1.cri/image-volumes/abc/1", fault: "image volume"},
		{name: "a volume the image declares", source: filepath.Dir(filepath.Dir(sandboxDir)) + "/containers/c/volumes/1", fault: "ignore_image"},
		{name: "a CSI volume", source: home + "/volumes/kubernetes.io~csi/pv/mount", fault: "plug-in"},
		{name: "a subPath of a CSI volume", source: home + "/volume-subpaths/pv/c/0", fault: "not supported"},
		{name: "a subPath that is not mounted", source: home + "/volume-subpaths/cache/c/9", fault: "not mounted"},
		{name: "a subPath that leads elsewhere", source: home + "/volume-subpaths/cache/c/2", fault: "not inside"},
		{name: "the pod's directory itself", source: home, fault: "host path"},
		{name: "another file of the pod", source: home + "/plugins/x", fault: "known kind"},
		{name: "an unknown option", source: home + "/etc-hosts", options: []string{"exec"}, fault: `"exec"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			options := append([]string{"rbind", "ro"}, c.options...)
			got, err := p.Classify(specs.Mount{Type: "bind", Source: c.source, Destination: "/mnt", Options: options})
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("want an error that names %q, got %v", c.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != c.kind || got.Mount.GetSubPath() != c.sub || !got.Mount.GetReadOnly() || got.Mount.GetDestination() != "/mnt" {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

func TestAVolumeAndItsSubPathAreOneVolume(t *testing.T) {
	p, home := pod(t)
	whole, err := p.Classify(specs.Mount{Source: home + "/volumes/kubernetes.io~empty-dir/cache"})
	if err != nil {
		t.Fatal(err)
	}
	part, err := p.Classify(specs.Mount{Source: home + "/volume-subpaths/cache/c/0"})
	if err != nil {
		t.Fatal(err)
	}
	if whole.ID != part.ID || len(whole.ID) > 128 {
		t.Fatalf("%q and %q", whole.ID, part.ID)
	}
}

// configMap lays a volume out as the kubelet's atomic writer does.
func configMap(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "..2026"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "..2026", "key"), []byte("value"), 0o640); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"..data": "..2026", "key": "..data/key"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestATreeSwitchesItsContentLast(t *testing.T) {
	entries, err := Tree(configMap(t))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, entry := range entries {
		paths = append(paths, entry.GetPath())
	}
	if want := []string{"..2026", "..2026/key", "key", "..data"}; !slices.Equal(paths, want) {
		t.Fatalf("got %v, want %v", paths, want)
	}
	if entries[1].GetMode() != 0o640 || string(entries[1].GetData()) != "value" || entries[3].GetTarget() != "..2026" {
		t.Fatalf("got %v", entries)
	}
}

func TestALinkOutOfAVolumeIsNotFollowed(t *testing.T) {
	dir := configMap(t)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "leak")); err != nil {
		t.Fatal(err)
	}
	entries, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if bytes.Contains(entry.GetData(), []byte("root:")) {
			t.Fatal("the host's file was read")
		}
	}
}

func TestALargeFileIsSplitAndARequestStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	data := bytes.Repeat([]byte("0123456789abcdef"), (3*maxPart+1600)/16)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	parts, err := OneFile(path)
	if err != nil {
		t.Fatal(err)
	}
	requests := Requests("v", parts)
	var joined []byte
	for i, request := range requests {
		size := 0
		for _, entry := range request.GetEntries() {
			size += len(entry.GetData())
			joined = append(joined, entry.GetData()...)
			if last := len(joined) == len(data); entry.GetMore() == last || entry.GetPath() != FileName {
				t.Fatalf("request %d holds %s, more %v", i, entry.GetPath(), entry.GetMore())
			}
		}
		if size > 1<<20 || request.GetFirst() != (i == 0) || request.GetFinal() != (i == len(requests)-1) {
			t.Fatalf("request %d has %d bytes", i, size)
		}
	}
	if !bytes.Equal(joined, data) || len(requests) != 3 {
		t.Fatalf("%d requests, %d bytes", len(requests), len(joined))
	}
}

func TestAnEmptyVolumeIsOneFinalRequest(t *testing.T) {
	requests := Requests("v", nil)
	if len(requests) != 1 || !requests[0].GetFirst() || !requests[0].GetFinal() {
		t.Fatalf("got %v", requests)
	}
}

func TestTooMuchContentIsRefused(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "huge"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(maxBytes + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := Tree(dir); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Fatalf("got %v", err)
	}
}

func TestATerminationLogKeepsItsEndAndFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "log"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteLog(path, append(bytes.Repeat([]byte("x"), MaxLog), "end"...)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || len(got) != MaxLog || !bytes.HasSuffix(got, []byte("end")) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for _, bad := range []string{link, filepath.Join(dir, "absent")} {
		if err := WriteLog(bad, nil); err == nil {
			t.Errorf("%s was written", bad)
		}
	}
}

func TestOfMountsOnOnePlaceTheLastCounts(t *testing.T) {
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(
		"36 35 98:0 / /mnt rw - ext4 /dev/sda rw\n37 36 98:0 /sub\\040dir /mnt/a\\040b rw - ext4 /dev/sda rw\n"+
			"38 35 98:0 /top /mnt rw - ext4 /dev/sda rw\n"), nil)
	if got := roots(mounts); err != nil || got["/mnt"] != "/top" || got["/mnt/a b"] != "/sub dir" {
		t.Fatalf("got %v, %v", got, err)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("/var/lib/kubelet/pods/u1/etc-hosts")
	f.Add("/var/lib/kubelet/pods/u1/volumes/kubernetes.io~empty-dir/../../..")
	f.Fuzz(func(t *testing.T, source string) {
		p := Pod{KubeletDir: "/var/lib/kubelet", UID: "u1", SandboxDir: sandboxDir,
			Mountinfo: func() (map[string]string, error) { return nil, nil }}
		volume, err := p.Classify(specs.Mount{Source: source, Destination: "/mnt"})
		if err == nil && !strings.HasPrefix(volume.Source, "/var/lib/kubelet/pods/u1/") && !strings.HasPrefix(volume.Source, sandboxDir+"/") {
			t.Fatalf("%q led to %q", source, volume.Source)
		}
	})
}
