// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/vmm"
)

// scratchDisk plugs a scratch disk, as the shim does for a container and for an emptyDir.
func (p *pod) scratchDisk(name string) vmm.Disk {
	p.t.Helper()
	if p.disks == "" {
		p.disks = p.t.TempDir()
	}
	dir := filepath.Join(p.disks, name)
	p.must(os.MkdirAll(dir, 0o755))
	path, err := disk.NewScratch(p.t.Context(), dir, 1<<30)
	p.must(err)
	plugged := vmm.Disk{Path: path, Serial: "scratch-" + name}
	p.must(p.DetachDisk(p.t.Context(), plugged.Serial)) // an earlier one of this name
	p.must(p.AttachDisk(p.t.Context(), plugged))
	return plugged
}

// occupied is what a scratch disk takes on the host, in MiB.
func (p *pod) occupied(name string) int64 {
	p.t.Helper()
	info, err := os.Stat(filepath.Join(p.disks, name, disk.ScratchName))
	p.must(err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512 >> 20
}

// What kubelet and containerd measure on the host is what containers keep.
func TestTheHostSeesWhatContainersWriteAndGetsBackWhatTheyDelete(t *testing.T) {
	p := newPod(t)
	_, err := p.api.CreateVolume(t.Context(), &guestv1.CreateVolumeRequest{
		Id: "cache", Kind: guestv1.CreateVolumeRequest_EMPTY_DIR, Scratch: p.scratchDisk("cache").Serial})
	p.must(err)
	begin := time.Now()
	p.create(&guestv1.CreateContainerRequest{Id: "c", Mounts: []*guestv1.VolumeMount{{VolumeId: "cache", Destination: "/cache"}}}, "/payload", "hold")
	t.Logf("a container with its disk: %s", time.Since(begin))
	p.start("c", "")
	for name, path := range map[string]string{"c": "/big", "cache": "/cache/big"} {
		if got := p.occupied(name); got > 1 {
			t.Errorf("%s: %d MiB before anything is written", path, got)
		}
		if said, end := p.exec("c", "grow-"+name, "/payload", "grow", path, "40"); end.ExitCode != 0 {
			t.Fatalf("%s: %q", path, said)
		}
		if got := p.occupied(name); got < 40 || got > 44 {
			t.Errorf("%s: %d MiB of 40", path, got)
		}
	}
	for name, path := range map[string]string{"c": "/big", "cache": "/cache/big"} {
		if said, end := p.exec("c", "remove-"+name, "/payload", "remove", path); end.ExitCode != 0 {
			t.Fatalf("%s: %q", path, said)
		}
	}
	for name := range map[string]bool{"c": true, "cache": true} {
		begin := time.Now()
		for p.occupied(name) > 2 {
			if time.Since(begin) > time.Minute {
				t.Fatalf("%s: %d MiB are still occupied", name, p.occupied(name))
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Logf("%s: what was deleted is back after %s", name, time.Since(begin))
	}
}
