// SPDX-License-Identifier: Apache-2.0

package mirror

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

// Bounds of one volume's content. A ConfigMap or Secret holds at most 1 MiB
// each; a projected volume may join several. It all ends up in the guest's memory.
const (
	maxBytes   = 32 << 20
	maxEntries = 8192
	// maxPart keeps a request under the guest's bound of 1 MiB of data.
	maxPart = 512 << 10
)

// dataLink is what Kubernetes renames to switch a volume's content.
const dataLink = "..data"

// Tree reads the directory at dir into entries in the order the guest needs
// them: directories before what they hold, links after files, and `..data`
// last, so that it switches the content at once. It follows no link.
func Tree(dir string) ([]*guestv1.FileEntry, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", dir, err)
	}
	defer root.Close()
	var entries, links []*guestv1.FileEntry
	var switchLink *guestv1.FileEntry
	total := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, item fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if len(entries)+len(links) >= maxEntries {
			return fmt.Errorf("the volume holds more than %d files", maxEntries)
		}
		entry, err := head(root, name)
		if err != nil {
			return err
		}
		switch item.Type() {
		case fs.ModeDir:
			entry.Type = guestv1.FileEntry_DIRECTORY
			entries = append(entries, entry)
		case fs.ModeSymlink:
			entry.Type = guestv1.FileEntry_SYMLINK
			if entry.Target, err = root.Readlink(name); err != nil {
				return err
			}
			if name == dataLink {
				switchLink = entry
			} else {
				links = append(links, entry)
			}
		case 0:
			parts, size, err := content(root, entry, maxBytes-total)
			if err != nil {
				return err
			}
			total += size
			entries = append(entries, parts...)
		default:
			return fmt.Errorf("%s is neither a file nor a directory nor a link", name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read volume %s: %w", dir, err)
	}
	entries = append(entries, links...)
	if switchLink != nil {
		entries = append(entries, switchLink)
	}
	return entries, nil
}

// OneFile reads the file at source into entries under FileName.
func OneFile(source string) ([]*guestv1.FileEntry, error) {
	root, err := os.OpenRoot(filepath.Dir(source))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", source, err)
	}
	defer root.Close()
	name := filepath.Base(source)
	entry, err := head(root, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", source, err)
	}
	parts, _, err := content(root, entry, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", source, err)
	}
	for _, part := range parts {
		part.Path = FileName
	}
	return parts, nil
}

// Literal is a file that exists on no host.
func Literal(name string, mode uint32, data string) *guestv1.FileEntry {
	return &guestv1.FileEntry{Path: name, Mode: mode, Data: []byte(data)}
}

// head reads an entry's owner and mode.
func head(root *os.Root, name string) (*guestv1.FileEntry, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	entry := &guestv1.FileEntry{Path: path.Clean(filepath.ToSlash(name)), Mode: uint32(info.Mode().Perm())}
	for bit, mode := range map[fs.FileMode]uint32{
		fs.ModeSetuid: unix.S_ISUID, fs.ModeSetgid: unix.S_ISGID, fs.ModeSticky: unix.S_ISVTX,
	} {
		if info.Mode()&bit != 0 {
			entry.Mode |= mode
		}
	}
	uid, gid, ok := owner(info)
	if !ok {
		return nil, errors.New("the file system does not report an owner")
	}
	entry.Uid, entry.Gid = uid, gid
	return entry, nil
}

// content splits a file into entries of at most maxPart bytes.
func content(root *os.Root, first *guestv1.FileEntry, limit int) ([]*guestv1.FileEntry, int, error) {
	// Non-blocking: a FIFO in place of a file must not block the shim.
	file, err := root.OpenFile(first.Path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, 0, errors.Join(fmt.Errorf("%s is not a regular file", first.Path), err)
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err != nil {
		return nil, 0, err
	}
	if len(data) > limit {
		return nil, 0, fmt.Errorf("the content is larger than %d bytes", maxBytes)
	}
	var parts []*guestv1.FileEntry
	for rest := data; ; {
		size := min(len(rest), maxPart)
		part := &guestv1.FileEntry{Path: first.Path, Mode: first.Mode, Uid: first.Uid, Gid: first.Gid, Data: rest[:size]}
		parts = append(parts, part)
		rest = rest[size:]
		if len(rest) == 0 {
			return parts, len(data), nil
		}
		part.More = true
	}
}

// Requests packs entries into transactions' requests of bounded size.
func Requests(volumeID string, entries []*guestv1.FileEntry) []*guestv1.PutFilesRequest {
	request := &guestv1.PutFilesRequest{VolumeId: volumeID, First: true}
	requests := []*guestv1.PutFilesRequest{request}
	size := 0
	for _, entry := range entries {
		cost := len(entry.Data) + len(entry.Path) + len(entry.Target) + 64
		if size > 0 && size+cost > maxPart+(64<<10) {
			request = &guestv1.PutFilesRequest{VolumeId: volumeID}
			requests = append(requests, request)
			size = 0
		}
		request.Entries = append(request.Entries, entry)
		size += cost
	}
	request.Final = true
	return requests
}
