// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"hypernetes.org/runtime/internal/disk"
	"hypernetes.org/runtime/internal/vmm"
)

// layerDisk is a layer that containers of the pod use.
type layerDisk struct {
	mu    sync.Mutex // held while the disk is plugged or unplugged
	users int
	there bool
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
