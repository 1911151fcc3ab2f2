// SPDX-License-Identifier: Apache-2.0

package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

const (
	maxRead = 1 << 20
	// Never a name of Kubernetes' own, which start with one or two dots.
	partial  = ".hypernetes-partial"
	nonblock = unix.O_NONBLOCK
)

// transaction is an unfinished copy of the host's tree.
type transaction struct {
	named   map[string]bool
	pending string   // a regular file that is not complete yet
	file    *os.File // its partial contents
	inPlace bool
}

// Put applies one request of a transaction, see PutFilesRequest.
func (s *Set) Put(request *guestv1.PutFilesRequest) error {
	found, err := s.find(request.GetVolumeId())
	if err != nil {
		return err
	}
	if found.kind != guestv1.CreateVolumeRequest_FILES {
		return fmt.Errorf("%w: volume %q does not hold copied files", ErrInvalid, request.GetVolumeId())
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	if err := found.put(request); err != nil {
		return fmt.Errorf("files of volume %q: %w", request.GetVolumeId(), err)
	}
	return nil
}

func (v *volume) put(request *guestv1.PutFilesRequest) (err error) {
	root, err := os.OpenRoot(v.path)
	if err != nil {
		return err
	}
	defer root.Close()
	if request.GetFirst() {
		v.abandon(root)
		v.open = &transaction{named: map[string]bool{}}
	}
	if v.open == nil {
		return fmt.Errorf("%w: no transaction is open", ErrInvalid)
	}
	defer func() {
		if err != nil {
			v.abandon(root)
		}
	}()
	for _, entry := range request.GetEntries() {
		if err := v.open.apply(root, entry); err != nil {
			return fmt.Errorf("%q: %w", entry.GetPath(), err)
		}
	}
	if !request.GetFinal() {
		return nil
	}
	if v.open.pending != "" {
		return fmt.Errorf("%w: %q is incomplete", ErrInvalid, v.open.pending)
	}
	if err := v.open.removeOthers(root); err != nil {
		return err
	}
	v.open = nil
	return nil
}

func (v *volume) abandon(root *os.Root) {
	if v.open != nil && v.open.file != nil {
		_ = v.open.file.Close()     // its contents are dropped
		_ = root.RemoveAll(partial) // so is its partial file; otherwise the next final does it
	}
	v.open = nil
}

func (t *transaction) apply(root *os.Root, entry *guestv1.FileEntry) error {
	name := entry.GetPath()
	if !filepath.IsLocal(name) || path.Clean(name) != name || name == "." {
		return fmt.Errorf("%w path", ErrInvalid)
	}
	if t.pending != "" && (t.pending != name || entry.GetType() != guestv1.FileEntry_REGULAR) {
		return fmt.Errorf("%w: %q is incomplete", ErrInvalid, t.pending)
	}
	t.named[name] = true
	switch entry.GetType() {
	case guestv1.FileEntry_DIRECTORY:
		return directory(root, entry)
	case guestv1.FileEntry_SYMLINK:
		return symlink(root, entry)
	case guestv1.FileEntry_REGULAR:
		return t.regular(root, entry)
	default:
		return fmt.Errorf("%w type", ErrInvalid)
	}
}

func directory(root *os.Root, entry *guestv1.FileEntry) error {
	name := entry.GetPath()
	if info, err := root.Lstat(name); err == nil && !info.IsDir() {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return own(root, name, entry)
}

func symlink(root *os.Root, entry *guestv1.FileEntry) error {
	if err := root.RemoveAll(partial); err != nil {
		return err
	}
	if err := root.Symlink(entry.GetTarget(), partial); err != nil {
		return err
	}
	if err := root.Lchown(partial, int(entry.GetUid()), int(entry.GetGid())); err != nil {
		return err
	}
	return replace(root, entry.GetPath())
}

func (t *transaction) regular(root *os.Root, entry *guestv1.FileEntry) error {
	name := entry.GetPath()
	if t.pending == "" {
		if err := t.begin(root, entry); err != nil {
			return err
		}
	}
	if _, err := t.file.Write(entry.GetData()); err != nil {
		return err
	}
	if entry.GetMore() {
		t.pending = name
		return nil
	}
	t.pending = ""
	file := t.file
	t.file = nil
	if err := file.Close(); err != nil {
		return err
	}
	if t.inPlace {
		return own(root, name, entry)
	}
	if err := own(root, partial, entry); err != nil {
		return err
	}
	return replace(root, name)
}

func (t *transaction) begin(root *os.Root, entry *guestv1.FileEntry) (err error) {
	name := entry.GetPath()
	info, err := root.Lstat(name)
	t.inPlace = entry.GetInPlace() && err == nil && info.Mode().IsRegular()
	if t.inPlace {
		t.file, err = root.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
		return err
	}
	if err := root.RemoveAll(partial); err != nil {
		return err
	}
	t.file, err = root.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return err
}

func replace(root *os.Root, name string) error {
	if info, err := root.Lstat(name); err == nil && info.IsDir() {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	return root.Rename(partial, name)
}

func own(root *os.Root, name string, entry *guestv1.FileEntry) error {
	// Owner first: a change of owner clears setuid and setgid.
	if err := root.Lchown(name, int(entry.GetUid()), int(entry.GetGid())); err != nil {
		return err
	}
	return root.Chmod(name, fileMode(entry.GetMode()))
}

// removeOthers completes a transaction: it removes what the host no longer has.
func (t *transaction) removeOthers(root *os.Root) error {
	var gone []string
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == "." || t.named[name] {
			return nil
		}
		gone = append(gone, name)
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range gone {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

// Get reads a regular file, its last bytes when it is longer than max.
func (s *Set) Get(id, name string, limit uint32) (data []byte, truncated bool, err error) {
	found, err := s.find(id)
	if err != nil {
		return nil, false, err
	}
	limit = min(limit, maxRead)
	root, err := os.OpenRoot(found.path)
	if err != nil {
		return nil, false, fmt.Errorf("open volume %q: %w", id, err)
	}
	defer root.Close()
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("%w: %q in volume %q", ErrNotFound, name, id)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %q of volume %q: %w", name, id, err)
	}
	// Before opening: a container may have put a FIFO there, which would block.
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%w: %q of volume %q is not a regular file", ErrInvalid, name, id)
	}
	file, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, false, fmt.Errorf("read %q of volume %q: %w", name, id, err)
	}
	defer file.Close()
	size := info.Size()
	truncated = size > int64(limit)
	if truncated {
		if _, err := file.Seek(size-int64(limit), io.SeekStart); err != nil {
			return nil, false, fmt.Errorf("read %q of volume %q: %w", name, id, err)
		}
	}
	data, err = io.ReadAll(io.LimitReader(file, int64(limit)))
	if err != nil {
		return nil, false, fmt.Errorf("read %q of volume %q: %w", name, id, err)
	}
	return data, truncated, nil
}
