// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/mirror"
)

// volumeState is a volume in the guest; its lock orders the copies into it.
type volumeState struct {
	source mirror.Volume // of a copy to be kept fresh; guarded by Sandbox.mu

	mu      sync.Mutex
	scratch string // serial of an emptyDir's disk, once it is plugged
	made    bool
	version string // of the copied content
}

// guestKinds maps each kind of volume to what the guest creates.
var guestKinds = map[mirror.Kind]guestv1.CreateVolumeRequest_Kind{
	mirror.Files: guestv1.CreateVolumeRequest_FILES, mirror.File: guestv1.CreateVolumeRequest_FILES,
	mirror.Log: guestv1.CreateVolumeRequest_FILES, mirror.EmptyDir: guestv1.CreateVolumeRequest_EMPTY_DIR,
	mirror.Memory: guestv1.CreateVolumeRequest_MEMORY,
}

// Volumes are a container's volumes on their way into the guest: in the request for
// the container, for each request costs a round trip. Done must follow; until then no
// other container's request and no refresh touches these volumes.
type Volumes struct {
	sandbox *Sandbox
	// Requests are what the guest does not have yet, or not in this version.
	Requests []*guestv1.Volume
	size     int
	held     []heldVolume
}

type heldVolume struct {
	state   *volumeState
	volume  mirror.Volume
	version string
	sent    bool // the guest has it already
}

// maxBatch is how many bytes of files a request for a container carries. The guest
// takes messages of 4 MiB, of which the specification may be 3.
const maxBatch = 512 << 10

// Volumes reads a container's volumes, and those of the pod itself. Larger ones are
// sent at once.
func (s *Sandbox) Volumes(ctx context.Context, volumes []mirror.Volume) (*Volumes, error) {
	v := &Volumes{sandbox: s}
	if err := v.add(ctx, append(slices.Clone(volumes), mirror.Volume{ID: podFilesID, Kind: mirror.Files})); err != nil {
		v.Done(false)
		return nil, err
	}
	return v, nil
}

func (v *Volumes) add(ctx context.Context, volumes []mirror.Volume) error {
	// In one order, so that two containers never wait for each other; and each once,
	// since a container may mount several parts of it.
	slices.SortStableFunc(volumes, func(a, b mirror.Volume) int { return strings.Compare(a.ID, b.ID) })
	volumes = slices.CompactFunc(volumes, func(a, b mirror.Volume) bool { return a.ID == b.ID })
	for _, volume := range volumes {
		state := v.sandbox.volume(volume.ID)
		state.mu.Lock()
		v.held = append(v.held, heldVolume{state: state, volume: volume})
		held := &v.held[len(v.held)-1]
		request, err := v.sandbox.volumeRequest(ctx, held)
		if err != nil {
			return fmt.Errorf("read the volume at %s: %w", volume.Mount.GetDestination(), err)
		}
		size := proto.Size(request)
		switch {
		case request == nil:
			held.sent = true
		case v.size+size <= maxBatch:
			v.Requests = append(v.Requests, request)
			v.size += size
		default:
			if err := v.sandbox.send(ctx, request); err != nil {
				return fmt.Errorf("fill the volume at %s: %w", volume.Mount.GetDestination(), err)
			}
			held.sent = true
		}
	}
	return nil
}

// Done is called with whether the guest has taken the request.
func (v *Volumes) Done(taken bool) {
	for _, held := range v.held {
		if taken || held.sent {
			v.sandbox.keep(held)
		}
		held.state.mu.Unlock()
	}
	v.held = nil
}

// keep notes that the guest has a volume. The caller holds the volume's lock.
func (s *Sandbox) keep(held heldVolume) {
	held.state.made, held.state.version = true, held.version
	if (held.volume.Kind == mirror.Files || held.volume.Kind == mirror.File) && held.volume.Source != "" {
		s.mu.Lock()
		held.state.source = held.volume
		s.mu.Unlock()
	}
}

// volumeRequest returns what makes and fills a volume, or nil if the guest has it in its
// present version, which is noted. The caller holds the volume's lock.
func (s *Sandbox) volumeRequest(ctx context.Context, held *heldVolume) (_ *guestv1.Volume, err error) {
	volume, state := held.volume, held.state
	request := &guestv1.Volume{Create: &guestv1.CreateVolumeRequest{
		Id: volume.ID, Kind: guestKinds[volume.Kind], SizeLimit: volume.SizeLimit,
		Mode: uint32(volume.Mode), Uid: volume.UID, Gid: volume.GID,
	}}
	if request.GetCreate().GetKind() != guestv1.CreateVolumeRequest_FILES {
		if state.made {
			return nil, nil
		}
		request.Create.Scratch, err = s.emptyDirDisk(ctx, held)
		return request, err
	}
	// The version is read before the content: a change in between is seen later.
	seen, err := s.version(volume)
	if err != nil {
		return nil, err
	}
	held.version = seen
	if state.made && seen == state.version && seen != "" {
		return nil, nil
	}
	entries, err := s.content(volume)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		// A container has this file mounted: keep it and change its content.
		entry.InPlace = state.made && volume.Kind == mirror.File
	}
	request.Files = mirror.Requests(volume.ID, entries)
	return request, nil
}

// emptyDirDisk returns the serial of an emptyDir's disk. The disk is in the kubelet's
// directory of the volume, where the kubelet measures it, and is unplugged with the machine.
func (s *Sandbox) emptyDirDisk(ctx context.Context, held *heldVolume) (serial string, err error) {
	if held.volume.Kind == mirror.EmptyDir && held.state.scratch == "" {
		held.state.scratch, err = s.AttachScratch(ctx, held.volume.Source)
	}
	return held.state.scratch, err
}

// content reads what a copied volume holds.
func (s *Sandbox) content(volume mirror.Volume) ([]*guestv1.FileEntry, error) {
	switch {
	case volume.ID == podFilesID:
		return []*guestv1.FileEntry{
			mirror.Literal("hostname", 0o644, hostname(s.pod)+"\n"),
			mirror.Literal("resolv.conf", 0o644, resolver(s.record, s.pod).file()),
		}, nil
	case volume.Kind == mirror.Files:
		return mirror.Tree(volume.Source)
	default:
		return mirror.OneFile(volume.Source)
	}
}

// version identifies the content of a volume: the kubelet switches a volume with its
// `..data` link, and rewrites a single file. "" is a content that is not refreshed.
func (s *Sandbox) version(volume mirror.Volume) (string, error) {
	switch {
	case volume.ID == podFilesID:
		return "1", nil
	case volume.Kind == mirror.Files:
		link, err := os.Readlink(filepath.Join(volume.Source, "..data"))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil // not laid out by the kubelet's atomic writer, or about to be removed
		}
		return link, err
	}
	info, err := os.Lstat(volume.Source)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d", info.ModTime().UnixNano(), info.Size()), nil
}

// send makes and fills a volume by calls of its own.
func (s *Sandbox) send(ctx context.Context, request *guestv1.Volume) error {
	guest, err := s.Guest()
	if err != nil {
		return err
	}
	ctx, cancel := s.Call(ctx)
	defer cancel()
	if _, err := guest.CreateVolume(ctx, request.GetCreate()); err != nil {
		return GuestError(err)
	}
	for _, files := range request.GetFiles() {
		if _, err := guest.PutFiles(ctx, files); err != nil {
			return GuestError(err)
		}
	}
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

// PodMounts are the mounts every container of a pod gets besides its own:
// /etc/resolv.conf, /etc/hostname and /dev/shm. Destinations in taken are omitted. As
// with containerd, the files are read-only where the container's root is.
func (s *Sandbox) PodMounts(readOnly bool, taken func(destination string) bool) []*guestv1.VolumeMount {
	all := []*guestv1.VolumeMount{
		{VolumeId: podFilesID, SubPath: "hostname", Destination: "/etc/hostname", ReadOnly: readOnly},
		{VolumeId: podFilesID, SubPath: "resolv.conf", Destination: "/etc/resolv.conf", ReadOnly: readOnly},
		{VolumeId: shmID, Destination: "/dev/shm"},
	}
	return slices.DeleteFunc(all, func(mount *guestv1.VolumeMount) bool { return taken(mount.GetDestination()) })
}
