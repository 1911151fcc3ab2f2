// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/containerd/log"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/mirror"
	"hypernetes.org/runtime/internal/vmm"
)

// layerDisk is a layer that containers of the pod use.
type layerDisk struct {
	mu    sync.Mutex // held while the disk is plugged or unplugged
	users int
	there bool
}

// volumeState is a volume in the guest; its lock orders the copies into it.
type volumeState struct {
	source mirror.Volume // of a copy to be kept fresh; guarded by Sandbox.mu

	mu      sync.Mutex
	made    bool
	version string // of the copied content
}

// AttachLayers makes layers visible to the guest and returns their serials.
// Each successful call needs one ReleaseLayers with the same serials.
func (s *Sandbox) AttachLayers(ctx context.Context, paths []string) ([]string, error) {
	serials := make([]string, 0, len(paths))
	for _, path := range paths {
		serial := disk.Serial(path)
		if slices.Contains(serials, serial) {
			return nil, errors.Join(fmt.Errorf("layer %s is listed twice", path), s.ReleaseLayers(ctx, serials))
		}
		if err := s.attachLayer(ctx, serial, path); err != nil {
			return nil, errors.Join(err, s.ReleaseLayers(ctx, serials))
		}
		serials = append(serials, serial)
	}
	return serials, nil
}

func (s *Sandbox) attachLayer(ctx context.Context, serial, path string) error {
	layer := s.layer(serial)
	layer.mu.Lock()
	defer layer.mu.Unlock()
	if !layer.there {
		if err := s.machine.AttachDisk(ctx, vmm.Disk{Path: path, ReadOnly: true, Serial: serial}); err != nil {
			return fmt.Errorf("attach layer %s: %w", path, err)
		}
		layer.there = true
	}
	layer.users++
	return nil
}

// ReleaseLayers unplugs the layers that no container uses any more, whether or not
// the guest agrees.
func (s *Sandbox) ReleaseLayers(ctx context.Context, serials []string) error {
	var faults []error
	for _, serial := range serials {
		layer := s.layer(serial)
		layer.mu.Lock()
		layer.users--
		if layer.users == 0 && s.live.Err() == nil {
			// If the guest does not release the disk, it keeps a read-only disk
			// of its own image: the next container uses it.
			if err := s.machine.DetachDisk(ctx, serial); err != nil && !errors.Is(err, vmm.ErrGone) {
				faults = append(faults, fmt.Errorf("detach a layer: %w", err))
			} else {
				layer.there = false
			}
		}
		layer.mu.Unlock()
	}
	return errors.Join(faults...)
}

func (s *Sandbox) layer(serial string) *layerDisk {
	s.mu.Lock()
	defer s.mu.Unlock()
	layer := s.disks[serial]
	if layer == nil {
		layer = &layerDisk{}
		s.disks[serial] = layer
	}
	return layer
}

// guestKinds maps each kind of volume to what the guest creates.
var guestKinds = map[mirror.Kind]guestv1.CreateVolumeRequest_Kind{
	mirror.Files: guestv1.CreateVolumeRequest_FILES, mirror.File: guestv1.CreateVolumeRequest_FILES,
	mirror.Log: guestv1.CreateVolumeRequest_FILES, mirror.EmptyDir: guestv1.CreateVolumeRequest_EMPTY_DIR,
	mirror.Memory: guestv1.CreateVolumeRequest_MEMORY,
}

// PutVolume creates a volume in the guest and fills it. Calling it again refreshes
// the content of copied volumes.
func (s *Sandbox) PutVolume(ctx context.Context, volume mirror.Volume) error {
	var entries []*guestv1.FileEntry
	var content string
	var err error
	// The version is read before the content: a change in between is seen later.
	switch volume.Kind {
	case mirror.Files:
		if content, err = version(volume); errors.Is(err, fs.ErrNotExist) {
			content, err = "", nil // not laid out by the kubelet's atomic writer: never refreshed
		}
		if err == nil {
			entries, err = mirror.Tree(volume.Source)
		}
	case mirror.File, mirror.Log:
		if content, err = version(volume); err == nil {
			entries, err = mirror.OneFile(volume.Source)
		}
	}
	if err != nil {
		return err
	}
	if err := s.put(ctx, volume, entries); err != nil {
		return err
	}
	state := s.volume(volume.ID)
	state.mu.Lock()
	state.version = content
	state.mu.Unlock()
	if volume.Kind == mirror.Files || volume.Kind == mirror.File {
		s.mu.Lock()
		state.source = volume
		s.mu.Unlock()
	}
	return nil
}

func (s *Sandbox) put(ctx context.Context, volume mirror.Volume, entries []*guestv1.FileEntry) error {
	guest, err := s.Guest()
	if err != nil {
		return err
	}
	ctx, cancel := s.Call(ctx)
	defer cancel()
	state := s.volume(volume.ID)
	state.mu.Lock()
	defer state.mu.Unlock()
	kind := guestKinds[volume.Kind]
	if !state.made {
		if _, err := guest.CreateVolume(ctx, &guestv1.CreateVolumeRequest{
			Id: volume.ID, Kind: kind, SizeLimit: volume.SizeLimit,
			Mode: uint32(volume.Mode), Uid: volume.UID, Gid: volume.GID,
		}); err != nil {
			return fmt.Errorf("create the volume at %s: %w", volume.Mount.GetDestination(), GuestError(err))
		}
	}
	if kind == guestv1.CreateVolumeRequest_FILES {
		for _, entry := range entries {
			// A container has this file mounted: keep it and change its content.
			entry.InPlace = state.made && volume.Kind == mirror.File
		}
		for _, request := range mirror.Requests(volume.ID, entries) {
			if _, err := guest.PutFiles(ctx, request); err != nil {
				return fmt.Errorf("fill the volume at %s: %w", volume.Mount.GetDestination(), GuestError(err))
			}
		}
	}
	state.made = true
	return nil
}

func (s *Sandbox) volume(id string) *volumeState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.volumes[id]
	if state == nil {
		state = &volumeState{}
		s.volumes[id] = state
	}
	return state
}

// The volume of files that the sandbox itself creates for its containers.
const (
	podFilesID = "pod"
	shmID      = "shm" // the guest's own: the pod's /dev/shm
)

type sharedFiles struct {
	once sync.Once
	err  error
}

// PodMounts are the mounts every container of a pod gets besides its own:
// /etc/resolv.conf, /etc/hostname and /dev/shm. Destinations in taken are omitted. As
// with containerd, the files are read-only where the container's root is.
func (s *Sandbox) PodMounts(ctx context.Context, readOnly bool, taken func(destination string) bool) ([]*guestv1.VolumeMount, error) {
	s.shared.once.Do(func() {
		entries := []*guestv1.FileEntry{
			mirror.Literal("hostname", 0o644, hostname(s.pod)+"\n"),
			mirror.Literal("resolv.conf", 0o644, resolver(s.record, s.pod).file()),
		}
		s.shared.err = s.put(context.WithoutCancel(ctx), mirror.Volume{ID: podFilesID, Kind: mirror.Files}, entries)
		if s.shared.err != nil {
			log.G(ctx).WithError(s.shared.err).Error("give the pod its files")
		}
	})
	if s.shared.err != nil {
		return nil, s.shared.err
	}
	all := []*guestv1.VolumeMount{
		{VolumeId: podFilesID, SubPath: "hostname", Destination: "/etc/hostname", ReadOnly: readOnly},
		{VolumeId: podFilesID, SubPath: "resolv.conf", Destination: "/etc/resolv.conf", ReadOnly: readOnly},
		{VolumeId: shmID, Destination: "/dev/shm"},
	}
	return slices.DeleteFunc(all, func(mount *guestv1.VolumeMount) bool { return taken(mount.GetDestination()) }), nil
}
