// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	now, err := version(volume)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the pod is being deleted
	}
	if err != nil {
		return err
	}
	state.mu.Lock()
	same := state.version == now
	state.mu.Unlock()
	if same {
		return nil
	}
	return s.PutVolume(ctx, volume)
}

// version identifies the content of a volume: the kubelet switches a volume with its
// `..data` link, and rewrites a single file.
func version(volume mirror.Volume) (string, error) {
	if volume.Kind == mirror.Files {
		return os.Readlink(filepath.Join(volume.Source, "..data"))
	}
	info, err := os.Lstat(volume.Source)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d", info.ModTime().UnixNano(), info.Size()), nil
}
