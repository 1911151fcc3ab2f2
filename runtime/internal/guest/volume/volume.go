// SPDX-License-Identifier: Apache-2.0

// Package volume manages the directories that containers of the pod mount: files
// copied in by the host, and empty directories on scratch disks or in memory.
package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/ident"
)

// SharedMemory is the ID of the volume that always exists: the pod's /dev/shm.
const SharedMemory = "shm"

// Errors a caller distinguishes.
var (
	ErrNotFound = errors.New("no such volume")
	ErrInvalid  = errors.New("invalid")
)

// Dirs are the directories of each kind of volume.
type Dirs struct {
	Files, Empty, Memory, Shared string
}

// Disks mounts scratch disks by their serials.
type Disks interface {
	Mount(serial, target string) error
	Unmount(target string) error
}

// Set is the pod's volumes.
type Set struct {
	dirs  Dirs
	disks Disks

	mu      sync.Mutex
	volumes map[string]*volume
}

type volume struct {
	kind guestv1.CreateVolumeRequest_Kind
	path string

	mu   sync.Mutex // one transaction at a time
	open *transaction
}

// NewSet returns the volumes of a pod that only has SharedMemory.
func NewSet(dirs Dirs, disks Disks) *Set {
	return &Set{dirs: dirs, disks: disks, volumes: map[string]*volume{
		SharedMemory: {kind: guestv1.CreateVolumeRequest_MEMORY, path: dirs.Shared},
	}}
}

// Create creates a volume. The same ID with the same kind is not an error.
func (s *Set) Create(request *guestv1.CreateVolumeRequest) error {
	id := request.GetId()
	if !ident.Valid(id) {
		return fmt.Errorf("%w volume id", ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if existing, ok := s.volumes[id]; ok {
		if existing.kind != request.GetKind() {
			return fmt.Errorf("%w: volume %q exists with another kind", ErrInvalid, id)
		}
		return nil
	}
	path, err := s.makeDir(request)
	if err != nil {
		return fmt.Errorf("create volume %q: %w", id, err)
	}
	created := &volume{kind: request.GetKind(), path: path}
	mode := os.FileMode(0o777)
	if request.GetKind() == guestv1.CreateVolumeRequest_FILES {
		mode = 0o755
	}
	if request.GetMode() != 0 {
		mode = fileMode(request.GetMode())
	}
	// Owner first: a change of owner clears the setgid bit.
	if err := os.Chown(created.path, int(request.GetUid()), int(request.GetGid())); err != nil {
		return fmt.Errorf("change the owner of volume %q: %w", id, err)
	}
	if err := os.Chmod(created.path, mode); err != nil {
		return fmt.Errorf("set the mode of volume %q: %w", id, err)
	}
	s.volumes[id] = created
	return nil
}

// makeDir creates the directory of a volume and returns its path.
func (s *Set) makeDir(request *guestv1.CreateVolumeRequest) (string, error) {
	switch request.GetKind() {
	case guestv1.CreateVolumeRequest_FILES:
		path := filepath.Join(s.dirs.Files, request.GetId())
		return path, os.Mkdir(path, 0o700)
	case guestv1.CreateVolumeRequest_EMPTY_DIR:
		mounted := filepath.Join(s.dirs.Empty, request.GetId())
		if err := s.disks.Mount(request.GetScratch(), mounted); err != nil {
			return "", err
		}
		// Not the disk's root directory, which has ext4's lost+found.
		path := filepath.Join(mounted, "data")
		if err := os.Mkdir(path, 0o700); err != nil {
			return "", errors.Join(err, s.disks.Unmount(mounted))
		}
		return path, nil
	case guestv1.CreateVolumeRequest_MEMORY:
		path := filepath.Join(s.dirs.Memory, request.GetId())
		if err := os.Mkdir(path, 0o700); err != nil {
			return "", err
		}
		options := "size=50%"
		if request.GetSizeLimit() > 0 {
			options = "size=" + strconv.FormatUint(request.GetSizeLimit(), 10)
		}
		return path, unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
	default:
		return "", fmt.Errorf("%w volume kind", ErrInvalid)
	}
}

// Source returns the path to bind for a mount of sub inside a volume. Links that the
// tenant's containers put there cannot lead out of the volume.
func (s *Set) Source(id, sub string, create bool) (string, error) {
	found, err := s.find(id)
	if err != nil {
		return "", err
	}
	if sub == "" {
		return found.path, nil
	}
	root, err := os.OpenRoot(found.path)
	if err != nil {
		return "", fmt.Errorf("open volume %q: %w", id, err)
	}
	defer root.Close()
	if create {
		if err := makeSubPath(root, sub); err != nil {
			return "", fmt.Errorf("create %q in volume %q: %w", sub, id, err)
		}
	}
	file, err := root.OpenFile(sub, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("%w: %q in volume %q: %w", ErrNotFound, sub, id, err)
	}
	defer file.Close()
	resolved, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return "", fmt.Errorf("resolve %q in volume %q: %w", sub, id, err)
	}
	return resolved, nil
}

// makeSubPath creates what a container mounts of a volume as the kubelet does (its
// subpath_linux.go): a directory with the mode of the volume's own, whose group it
// inherits by setgid, unless something has that name already, be it a file.
func makeSubPath(root *os.Root, sub string) error {
	if _, err := root.Stat(sub); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if err := root.MkdirAll(sub, 0o755); err != nil {
		return err
	}
	return root.Chmod(sub, info.Mode()&(os.ModePerm|os.ModeSetgid))
}

func (s *Set) find(id string) (*volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.volumes[id]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	return found, nil
}

// fileMode converts Unix permission bits to Go's.
func fileMode(bits uint32) os.FileMode {
	mode := os.FileMode(bits & 0o777)
	if bits&unix.S_ISUID != 0 {
		mode |= os.ModeSetuid
	}
	if bits&unix.S_ISGID != 0 {
		mode |= os.ModeSetgid
	}
	if bits&unix.S_ISVTX != 0 {
		mode |= os.ModeSticky
	}
	return mode
}
