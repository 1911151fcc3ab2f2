// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/vmm"
)

// image makes the layers of an image: the payload's, lowest, and above it layers
// that each say their number in /top.
func (p *pod) image(name string, count int) []vmm.Disk {
	p.t.Helper()
	disks := []vmm.Disk{p.layer}
	for number := 1; number < count; number++ {
		root := p.t.TempDir()
		p.must(os.WriteFile(filepath.Join(root, "top"), fmt.Appendf(nil, "%s-%d", name, number), 0o644))
		disks = append(disks, erofs(p.t, fmt.Sprintf("%s-%d", name, number), root))
	}
	return disks
}

// plug attaches what is not attached yet and gives the image's serials.
func (p *pod) plug(disks []vmm.Disk) []string {
	p.t.Helper()
	var serials []string
	for _, disk := range disks {
		if disk.Serial != p.layer.Serial {
			p.must(p.AttachDisk(p.t.Context(), disk))
		}
		serials = append(serials, disk.Serial)
	}
	return serials
}

func (p *pod) unplug(serials []string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for _, serial := range serials {
		if serial != p.layer.Serial {
			p.must(p.DetachDisk(ctx, serial))
		}
	}
}

func (p *pod) shows(id string, layers []string, path, want string) {
	p.t.Helper()
	begin := time.Now()
	if got, _ := p.output(&guestv1.CreateContainerRequest{Id: id, Layers: layers}, "/payload", "print", path); got != want {
		p.t.Errorf("%s has %q, want %q", path, got, want)
	}
	p.t.Logf("%d layers: %s", len(layers), time.Since(begin))
}

func TestImagesOfManyLayersAndOneAfterAnother(t *testing.T) {
	p := newPod(t)
	// The payload's layer stays in use, so that what is unplugged is known.
	p.create(&guestv1.CreateContainerRequest{Id: "keeper"}, "/payload", "hold")
	// 256 is the most, and takes disks beyond unit 255, which are addressed otherwise.
	for _, count := range []int{2, 4, 12, 50, 3, 256} {
		t.Run(fmt.Sprintf("%d layers", count), func(t *testing.T) {
			q := *p
			q.t = t
			name := fmt.Sprintf("i%d", count)
			serials := q.plug(q.image(name, count))
			q.shows(name, serials, "/top", fmt.Sprintf("%s-%d", name, count-1))
			q.unplug(serials)
		})
	}
}

func TestFourContainersOfFourImages(t *testing.T) {
	p := newPod(t)
	var layers [][]string
	for number := range 4 {
		layers = append(layers, p.plug(p.image(fmt.Sprintf("f%d", number), 4)))
	}
	for number, image := range layers {
		id := fmt.Sprintf("c%d", number)
		p.create(&guestv1.CreateContainerRequest{Id: id, Layers: image}, "/payload", "hold")
		p.start(id, "")
	}
	for number := range layers {
		if got, _ := p.exec(fmt.Sprintf("c%d", number), "e", "/payload", "print", "/top"); got != fmt.Sprintf("f%d-3", number) {
			t.Errorf("container %d shows %q", number, got)
		}
	}
}

// A disk that the host unplugs before a container has used it is gone, even if the
// guest missed the event and another disk has its address.
func TestALayerThatWasUndoneIsNotTakenForTheNext(t *testing.T) {
	p := newPod(t)
	p.create(&guestv1.CreateContainerRequest{Id: "keeper"}, "/payload", "hold")
	undone := p.plug(p.image("undone", 20))
	p.unplug(undone)
	next := p.plug(p.image("next", 20))
	p.shows("next", next, "/top", "next-19")
}

func TestLayersOfEveryShape(t *testing.T) {
	p := newPod(t)
	shapes := map[string]func(root string) error{
		"an empty layer": func(string) error { return nil },
		"a whiteout":     func(root string) error { return unix.Mknod(filepath.Join(root, "gone"), unix.S_IFCHR, 0) },
		"an opaque directory": func(root string) error {
			dir := filepath.Join(root, "dir")
			return errors.Join(os.Mkdir(dir, 0o755), unix.Setxattr(dir, "trusted.overlay.opaque", []byte("y"), 0))
		},
	}
	below := t.TempDir()
	p.must(errors.Join(os.WriteFile(filepath.Join(below, "gone"), []byte("x"), 0o644), os.Mkdir(filepath.Join(below, "dir"), 0o755),
		os.WriteFile(filepath.Join(below, "dir/hidden"), []byte("x"), 0o644), os.WriteFile(filepath.Join(below, "kept"), []byte("kept"), 0o644)))
	layers := []vmm.Disk{p.layer, erofs(t, "below", below)}
	for name, make := range shapes {
		root := t.TempDir()
		p.must(make(root))
		layers = append(layers, erofs(t, fmt.Sprintf("shape-%d", len(name)), root))
	}
	serials := p.plug(layers)
	p.create(&guestv1.CreateContainerRequest{Id: "shapes", Layers: serials}, "/payload", "hold")
	p.start("shapes", "")
	for path, there := range map[string]bool{"/kept": true, "/gone": false, "/dir/hidden": false} {
		if _, end := p.exec("shapes", "e"+filepath.Base(path), "/payload", "print", path); (end.ExitCode == 0) != there {
			t.Errorf("%s is there: %v", path, !there)
		}
	}
}

func release(p *pod) {
	p.create(&guestv1.CreateContainerRequest{Id: "last"}, "/payload", "exit", "0")
	answer, err := p.api.Delete(p.t.Context(), &guestv1.ProcessRequest{Id: "last"})
	p.must(err)
	if len(answer.Released) != 1 || answer.Released[0] != p.layer.Serial {
		p.t.Fatalf("released %v", answer.Released)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	begin := time.Now()
	p.must(p.DetachDisk(ctx, p.layer.Serial))
	detached := time.Now()
	p.must(p.AttachDisk(ctx, p.layer))
	p.t.Logf("DetachDisk %s, AttachDisk %s", detached.Sub(begin), time.Since(detached))
	p.output(&guestv1.CreateContainerRequest{Id: "again"}, "/payload", "exit", "0")
}
