// SPDX-License-Identifier: Apache-2.0

package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	name  string // of its directory in layers.dir
	users int
}

func newLayers(dir string) *layers {
	return &layers{dir: dir, used: map[string]*layer{}}
}

// take mounts what is not mounted yet and returns the names below dir in the same
// order.
func (l *layers) take(serials []string) (names []string, err error) {
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
		names = append(names, found.name)
	}
	return names, nil
}

func (l *layers) mount(serial string) (*layer, error) {
	device, err := disk.Find(serial, layerTimeout)
	if err != nil {
		return nil, fmt.Errorf("image layer: %w", err)
	}
	l.number++
	name := strconv.Itoa(l.number)
	path := filepath.Join(l.dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("image layer: %w", err), disk.Release(serial))
	}
	if err := unix.Mount(device, path, "erofs", unix.MS_RDONLY, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("mount image layer %q: %w", serial, err), os.Remove(path), disk.Release(serial))
	}
	return &layer{name: name}, nil
}

// drop releases what take returned, and returns the serials that are no longer used.
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
		path := filepath.Join(l.dir, found.name)
		// A mount that is still busy disappears with its last user.
		_ = unix.Unmount(path, unix.MNT_DETACH)
		_ = os.Remove(path)
		// One that stays is identified the next time it is examined.
		_ = disk.Release(serial)
		released = append(released, serial)
	}
	return released
}

// upperName is the directory of a scratch disk with what its container has written.
const upperName = "upper"

// mountOverlay mounts a root file system of layers in layersDir, lowest first, and a
// scratch disk that is mounted at writable. Not "volatile", which would save the syncing of what does
// not outlive the machine: once a write has failed, since the node's disk was full,
// such an overlay fails every fsync forever (overlayfs.rst, "Volatile mount"). "xino": readdir and stat give the same inode
// numbers, though the layers are on different devices.
func mountOverlay(target, writable, layersDir string, lower []string) error {
	upper, work := filepath.Join(writable, upperName), filepath.Join(writable, "work")
	for _, dir := range []string{upper, work, target} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("prepare the root file system: %w", err)
		}
	}
	topFirst := slices.Clone(lower)
	slices.Reverse(topFirst)
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,xino=on", strings.Join(topFirst, ":"), upper, work)
	if err := mountFrom(layersDir, target, options); err != nil {
		return fmt.Errorf("mount the root file system: %w", err)
	}
	return nil
}

// mountFrom mounts an overlay whose options name layers relative to dir. They
// have to fit into a page (mount(2)), which 200 absolute paths do not.
func mountFrom(dir, target, options string) error {
	done := make(chan error, 1)
	go func() {
		// The working directory is unshared for this thread; the thread ends with
		// the goroutine, since it is never unlocked.
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return err
			}
			if err := unix.Chdir(dir); err != nil {
				return err
			}
			return unix.Mount("overlay", target, "overlay", 0, options)
		}()
	}()
	return <-done
}
