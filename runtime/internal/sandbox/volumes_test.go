// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/fakeguest"
	"hypernetes.org/runtime/internal/mirror"
)

// counting is a guest that takes volumes by calls of their own.
type counting struct {
	guestv1.GuestService
	calls []string
}

func (c *counting) CreateVolume(context.Context, *guestv1.CreateVolumeRequest) (*guestv1.Empty, error) {
	c.calls = append(c.calls, "CreateVolume")
	return &guestv1.Empty{}, nil
}

func (c *counting) PutFiles(context.Context, *guestv1.PutFilesRequest) (*guestv1.Empty, error) {
	c.calls = append(c.calls, "PutFiles")
	return &guestv1.Empty{}, nil
}

// withGuest returns a sandbox that is ready, and its guest.
func withGuest(t *testing.T) (*Sandbox, *counting) {
	t.Helper()
	booted := make(chan struct{})
	close(booted)
	live, kill := context.WithCancelCause(t.Context())
	t.Cleanup(func() { kill(nil) })
	guest := &counting{}
	return &Sandbox{live: live, kill: kill, booted: booted, guest: guest, machine: fakeguest.New(), volumes: map[string]*volumeState{},
		scratch: map[string]scratchDisk{}, host: Host{Config: config.Config{ScratchSize: 16 << 20}}}, guest
}

// volumesOf returns what a request for a container carries, by id.
func volumesOf(t *testing.T, s *Sandbox, taken bool, volumes ...mirror.Volume) map[string]*guestv1.Volume {
	t.Helper()
	v, err := s.Volumes(t.Context(), volumes)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*guestv1.Volume{}
	for _, request := range v.Requests {
		id := request.GetCreate().GetId()
		if found[id] != nil {
			t.Errorf("volume %s is there twice", id)
		}
		found[id] = request
	}
	v.Done(taken)
	return found
}

func ids(volumes map[string]*guestv1.Volume) []string {
	var names []string
	for id := range volumes {
		names = append(names, id)
	}
	slices.Sort(names)
	return names
}

// configMap lays a volume out as the kubelet's atomic writer does.
func configMap(t *testing.T, size int) mirror.Volume {
	t.Helper()
	dir := t.TempDir()
	for _, step := range []error{
		os.Mkdir(filepath.Join(dir, "..1"), 0o755),
		os.WriteFile(filepath.Join(dir, "..1/key"), make([]byte, size), 0o644),
		os.Symlink("..1", filepath.Join(dir, "..data")),
		os.Symlink("..data/key", filepath.Join(dir, "key")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	return mirror.Volume{ID: "config", Kind: mirror.Files, Source: dir, Mount: &guestv1.VolumeMount{}}
}

func TestAContainersVolumesAreOneRequest(t *testing.T) {
	s, guest := withGuest(t)
	config, empty := configMap(t, 10), mirror.Volume{ID: "empty", Kind: mirror.EmptyDir, Source: t.TempDir()}
	hosts := mirror.Volume{ID: "hosts", Kind: mirror.File, Source: filepath.Join(t.TempDir(), "hosts")}
	if err := os.WriteFile(hosts.Source, []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A container that was not made asks for all of it again.
	for _, taken := range []bool{false, true} {
		got := volumesOf(t, s, taken, hosts, empty, config, config)
		if want := []string{"config", "empty", "hosts", podFilesID}; !slices.Equal(ids(got), want) {
			t.Fatalf("got %v, want %v", ids(got), want)
		}
		if len(got["empty"].GetFiles()) != 0 || got["empty"].GetCreate().GetScratch() == "" || len(got["config"].GetFiles()) != 1 || got["hosts"].GetFiles()[0].GetEntries()[0].GetInPlace() {
			t.Errorf("got %v", got)
		}
	}
	disks := s.machine.(*fakeguest.Guest).Attached()
	if _, err := os.Stat(filepath.Join(empty.Source, disk.ScratchName)); err != nil || !slices.Equal(disks, []string{disk.Serial(filepath.Join(empty.Source, disk.ScratchName))}) {
		t.Errorf("the emptyDir's disk is one of %v, and the kubelet's directory has none: %v", disks, err)
	}
	if got := volumesOf(t, s, true, hosts, empty, config); len(got) != 0 {
		t.Errorf("what the guest has is sent again: %v", ids(got))
	}
	if err := os.WriteFile(hosts.Source, []byte("a longer one"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := volumesOf(t, s, true, hosts, empty, config)
	if !slices.Equal(ids(got), []string{"hosts"}) || !got["hosts"].GetFiles()[0].GetEntries()[0].GetInPlace() {
		t.Errorf("a file that has changed: %v", got)
	}
	if len(guest.calls) != 0 {
		t.Errorf("calls of their own: %v", guest.calls)
	}
}

func TestALargeVolumeIsSentBefore(t *testing.T) {
	s, guest := withGuest(t)
	got := volumesOf(t, s, false, configMap(t, maxBatch+1))
	if !slices.Equal(ids(got), []string{podFilesID}) || !slices.Equal(guest.calls, []string{"CreateVolume", "PutFiles"}) {
		t.Errorf("in the request %v, calls %v", ids(got), guest.calls)
	}
}

func TestAVolumeIsRefreshedWhenItsVersionChanges(t *testing.T) {
	s, guest := withGuest(t)
	config := configMap(t, 10)
	volumesOf(t, s, true, config)
	s.refreshOnce(t.Context())
	if len(guest.calls) != 0 {
		t.Fatalf("nothing has changed: %v", guest.calls)
	}
	if err := os.Rename(filepath.Join(config.Source, "..1"), filepath.Join(config.Source, "..2")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{os.Remove(filepath.Join(config.Source, "..data")), os.Symlink("..2", filepath.Join(config.Source, "..data"))} {
		if step != nil {
			t.Fatal(step)
		}
	}
	s.refreshOnce(t.Context())
	if !slices.Contains(guest.calls, "PutFiles") {
		t.Errorf("calls %v", guest.calls)
	}
	// The kubelet removes the link first: what the guest has is not emptied.
	guest.calls = nil
	if err := os.Remove(filepath.Join(config.Source, "..data")); err != nil {
		t.Fatal(err)
	}
	s.refreshOnce(t.Context())
	if len(guest.calls) != 0 {
		t.Errorf("calls at its end: %v", guest.calls)
	}
}
