// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// written is what containerd reports to the kubelet of a container's writable layer, in
// MiB. It looks every 10 s.
func (p *pod) written(id string) uint64 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := p.runtime.ContainerStats(ctx, &cri.ContainerStatsRequest{ContainerId: id})
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.GetStats().GetWritableLayer().GetUsedBytes().GetValue() >> 20
}

// used is what the kubelet measures of an emptyDir, in MiB (pkg/volume/util/fs).
func used(t *testing.T, dir string) uint64 {
	t.Helper()
	var bytes int64
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		return nil
	}))
	return uint64(bytes) >> 20
}

func TestTheKubeletSeesWhatEachContainerAndEmptyDirHolds(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	cache := p.emptyDir("cache")
	id := p.run("writer", "sleep 1000", func(c *cri.ContainerConfig) { c.Mounts = []*cri.Mount{cache} })
	other := p.run("other", "sleep 1000", nil)
	write := "dd if=/dev/zero of=/big bs=1M count=40 conv=fsync && dd if=/dev/zero of=/cache/big bs=1M count=60 conv=fsync"
	if out, stderr, code := p.exec(id, "sh", "-c", write); code != 0 {
		t.Fatalf("%q, %q", out, stderr)
	}
	eventually(t, "what was written is seen", 30*time.Second, func() bool { return p.written(id) >= 40 })
	if layer, empty := p.written(id), used(t, cache.GetHostPath()); layer > 44 || empty < 60 || empty > 64 {
		t.Errorf("%d MiB of 40 are seen in the writable layer, and %d of 60 in the emptyDir", layer, empty)
	}
	if got := p.written(other); got > 1 {
		t.Errorf("%d MiB are seen of a container that has written nothing", got)
	}
	p.exec(id, "rm", "/big", "/cache/big")
	eventually(t, "what was deleted is not seen any more", time.Minute, func() bool {
		return p.written(id) <= 2 && used(t, cache.GetHostPath()) <= 2
	})
	if out, stderr, code := p.exec(id, "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=600 conv=fsync"); code == 0 {
		t.Errorf("600 MiB were written with a limit of 512: %q, %q", out, stderr)
	}
	eventually(t, "the limit is seen to be exceeded", 30*time.Second, func() bool { return p.written(id) > 512 })
	p.remove()
	nothingLeft(t)
}
