// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/containerd/log"

	"hypernetes.org/runtime/internal/mirror"
)

// refreshPeriod is how old a copy in the guest may be beyond the kubelet's own
// delay (a minute or so). Looking costs one system call a volume.
const refreshPeriod = 10 * time.Second

// refresh keeps the guest's copies up to date with the kubelet's files: ConfigMaps
// and Secrets change, service account tokens expire. It ends with the machine.
func (s *Sandbox) refresh() {
	ticker := time.NewTicker(refreshPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.refreshOnce(s.live)
		case <-s.live.Done():
			return
		}
	}
}

func (s *Sandbox) refreshOnce(ctx context.Context) {
	for _, volume := range s.copied() {
		if err := s.refreshVolume(ctx, volume); err != nil && ctx.Err() == nil {
			log.G(ctx).WithError(err).WithField("volume", volume.Source).Warn("refresh a volume")
		}
	}
}

// copied lists the volumes whose source may change.
func (s *Sandbox) copied() []mirror.Volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	var volumes []mirror.Volume
	for _, state := range s.volumes {
		if state.source.Source != "" {
			volumes = append(volumes, state.source)
		}
	}
	return volumes
}

func (s *Sandbox) refreshVolume(ctx context.Context, volume mirror.Volume) error {
	state := s.volume(volume.ID)
	// Content is read under the lock, so that an older one never follows a newer one.
	state.mu.Lock()
	defer state.mu.Unlock()
	if seen, err := s.version(volume); seen == "" && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		return nil // it has no versions, or the pod is being deleted
	}
	held := heldVolume{state: state, volume: volume}
	request, err := s.volumeRequest(ctx, &held)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || request == nil {
		return err
	}
	if err := s.send(ctx, request); err != nil {
		return err
	}
	s.keep(held)
	return nil
}
