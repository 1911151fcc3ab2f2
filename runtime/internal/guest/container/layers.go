// SPDX-License-Identifier: Apache-2.0

package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/guest/disk"
)

// layerTimeout bounds the wait for a hot-plugged disk.
const layerTimeout = 10 * time.Second

// layers are the image layers that containers use, mounted once each.
type layers struct {
	dir string

	mu     sync.Mutex
	number int
	used   map[string]*layer
}

type layer struct {
	path  string
	users int
}

func newLayers(dir string) *layers {
	return &layers{dir: dir, used: map[string]*layer{}}
}

// take mounts what is not mounted yet and gives the paths in the same order.
func (l *layers) take(serials []string) (paths []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []string
	defer func() {
		if err != nil {
			l.dropLocked(taken)
		}
	}()
	for _, serial := range serials {
		found, ok := l.used[serial]
		if !ok {
			if found, err = l.mount(serial); err != nil {
				return nil, err
			}
			l.used[serial] = found
		}
		found.users++
		taken = append(taken, serial)
		paths = append(paths, found.path)
	}
	return paths, nil
}

func (l *layers) mount(serial string) (*layer, error) {
	device, err := disk.Find(serial, layerTimeout)
	if err != nil {
		return nil, fmt.Errorf("image layer: %w", err)
	}
	l.number++
	// Short, since all of an image's layers go into one mount option of 4 KiB.
	path := filepath.Join(l.dir, strconv.Itoa(l.number))
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("image layer: %w", err)
	}
	if err := unix.Mount(device, path, "erofs", unix.MS_RDONLY, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("mounting image layer %q: %w", serial, err), os.Remove(path))
	}
	return &layer{path: path}, nil
}

// drop gives back what take gave, and says which serials nobody uses any more.
func (l *layers) drop(serials []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropLocked(serials)
}

func (l *layers) dropLocked(serials []string) []string {
	var released []string
	for _, serial := range serials {
		found, ok := l.used[serial]
		if !ok {
			continue
		}
		if found.users--; found.users > 0 {
			continue
		}
		delete(l.used, serial)
		// A mount that is still busy goes when its last user does.
		_ = unix.Unmount(found.path, unix.MNT_DETACH)
		_ = os.Remove(found.path)
		released = append(released, serial)
	}
	return released
}

// mountOverlay makes a root file system of layers, lowest first, and a
// writable folder. "volatile": nothing of it outlives the machine, so that
// syncing it would only cost.
func mountOverlay(target, writable string, lower []string) error {
	upper, work := filepath.Join(writable, "upper"), filepath.Join(writable, "work")
	for _, dir := range []string{writable, upper, work, target} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("preparing the root file system: %w", err)
		}
	}
	topFirst := make([]string, 0, len(lower))
	for i := len(lower) - 1; i >= 0; i-- {
		topFirst = append(topFirst, lower[i])
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,volatile", strings.Join(topFirst, ":"), upper, work)
	if err := unix.Mount("overlay", target, "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting the root file system: %w", err)
	}
	return nil
}
