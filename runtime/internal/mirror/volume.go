// SPDX-License-Identifier: Apache-2.0

// Package mirror decides which files of the host a pod may have, and copies them
// into the machine. There is no shared file system: ConfigMaps, Secrets,
// tokens, /etc/hosts go in as copies, the termination log comes back as one.
package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

// FileName is the name a single mirrored file has in its volume.
const FileName = "file"

// Kind is what a bind mount becomes in the machine.
type Kind int

// Kinds of volumes.
const (
	Files    Kind = iota // a copied tree, shared by the pod's containers
	File                 // a copied file
	EmptyDir             // on a scratch disk of its own
	Memory               // emptyDir of medium Memory
	Log                  // the termination log: copied in, and back at exit
)

// Volume is one bind mount of a container, in the machine's terms.
type Volume struct {
	ID        string
	Kind      Kind
	Source    string      // on the host: what is copied; for EmptyDir, where its disk is
	SizeLimit uint64      // bytes, Memory only
	Mode      os.FileMode // of the directory, where containers can see it
	UID, GID  uint32
	Mount     *guestv1.VolumeMount
}

// Pod names the places of the host that belong to one pod.
type Pod struct {
	KubeletDir string // kubelet's root directory, symbolic links resolved
	UID        string
	SandboxDir string // containerd's own directory for the sandbox
	Mountinfo  func() (map[string]string, error)
}

// filePlugins are the volume plug-ins whose content is a tree of small files.
var filePlugins = []string{
	"kubernetes.io~configmap", "kubernetes.io~secret", "kubernetes.io~projected", "kubernetes.io~downward-api",
}

const emptyDirPlugin = "kubernetes.io~empty-dir"

// Classify decides what a bind mount is. What belongs neither to the kubelet for
// this pod nor to containerd for this sandbox is refused, above all hostPath.
func (p Pod) Classify(mount specs.Mount) (Volume, error) {
	source := mount.Source
	if !filepath.IsAbs(source) || filepath.Clean(source) != source {
		return Volume{}, fmt.Errorf("the mount at %s has the unclean source %q", mount.Destination, source)
	}
	guest, err := volumeMount(mount)
	if err != nil {
		return Volume{}, err
	}
	volume := Volume{Mount: guest, Source: source}
	if rel, ok := below(p.SandboxDir, source); ok && slices.Contains([]string{"hostname", "hosts", "resolv.conf"}, rel) {
		return volume.file(File), nil
	}
	if p.UID == "" || strings.ContainsAny(p.UID, "/") || p.UID == ".." {
		return Volume{}, fmt.Errorf("pod uid %q is not a directory name", p.UID)
	}
	rel, ok := below(filepath.Join(p.KubeletDir, "pods", p.UID), source)
	switch {
	case ok:
	case strings.Contains(source, "/image-volumes/"):
		return Volume{}, fmt.Errorf("the image volume at %s is refused: the host would have to mount it", mount.Destination)
	case strings.HasPrefix(source, filepath.Dir(filepath.Dir(p.SandboxDir))+"/containers/"):
		return Volume{}, fmt.Errorf("the volume at %s, which the image declares, is refused: "+
			"set ignore_image_defined_volumes = true in containerd's settings", mount.Destination)
	default:
		return Volume{}, fmt.Errorf("the mount of host path %q at %s is refused: a pod's machine shares nothing with its host",
			source, mount.Destination)
	}
	parts := strings.Split(rel, "/")
	switch {
	case rel == "etc-hosts":
		return volume.file(File), nil
	case parts[0] == "containers" && len(parts) == 3:
		return volume.file(Log), nil
	case parts[0] == "volumes" && len(parts) >= 3:
		return p.named(volume, parts[1], parts[2], strings.Join(parts[3:], "/"))
	case parts[0] == "volume-subpaths" && len(parts) == 4:
		return p.subPath(volume, parts[1])
	}
	return Volume{}, fmt.Errorf("the mount of %q at %s is not of a known kind", source, mount.Destination)
}

// named is a volume of the pod, or what subPath chose in it.
func (p Pod) named(volume Volume, plugin, name, subPath string) (Volume, error) {
	dir := filepath.Join(p.KubeletDir, "pods", p.UID, "volumes", plugin, name)
	switch {
	case slices.Contains(filePlugins, plugin):
		volume.ID, volume.Source = volumeID(plugin, name), dir
		volume.Mount.VolumeId, volume.Mount.SubPath = volume.ID, subPath
		return volume.owned(dir)
	case plugin == emptyDirPlugin:
		volume.ID = volumeID(plugin, name)
		volume.Mount.VolumeId, volume.Mount.SubPath = volume.ID, subPath
		volume.Mount.CreateSubPath = subPath != ""
		volume.Source = dir
		return volume.emptyDir(dir)
	}
	return Volume{}, fmt.Errorf("volume %s has plug-in %s, which is not supported", name, plugin)
}

// subPath is what the kubelet bind-mounts for a container's subPath. Only the mount
// table shows which directory of the volume that is.
func (p Pod) subPath(volume Volume, name string) (Volume, error) {
	for _, plugin := range append(slices.Clone(filePlugins), emptyDirPlugin) {
		dir := filepath.Join(p.KubeletDir, "pods", p.UID, "volumes", plugin, name)
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return Volume{}, fmt.Errorf("inspect volume %s: %w", name, err)
		}
		roots, err := p.Mountinfo()
		if err != nil {
			return Volume{}, err
		}
		root, ok := roots[volume.Source]
		if !ok {
			return Volume{}, fmt.Errorf("subPath %s of volume %s is not mounted", volume.Source, name)
		}
		rel, ok := relativeRoot(root, roots[dir], plugin, name)
		if !ok {
			return Volume{}, fmt.Errorf("subPath %s is not inside volume %s", volume.Source, name)
		}
		return p.named(volume, plugin, name, rel)
	}
	return Volume{}, fmt.Errorf("the volume of subPath %q is not supported", volume.Source)
}

// relativeRoot finds a mount's place in a volume. Both are roots within their
// file system, as mountinfo has them; volumeRoot is empty where the volume is a
// plain directory.
func relativeRoot(root, volumeRoot, plugin, name string) (string, bool) {
	if volumeRoot != "" { // its own tmpfs
		return below(volumeRoot, root)
	}
	marker := "/volumes/" + plugin + "/" + name + "/"
	index := strings.LastIndex(root, marker)
	if index < 0 {
		return "", false
	}
	return root[index+len(marker):], true
}

func (v Volume) file(kind Kind) Volume {
	v.Kind = kind
	v.ID = volumeID("file", v.Source)
	v.Mount.VolumeId, v.Mount.SubPath = v.ID, FileName
	return v
}

func (v Volume) emptyDir(dir string) (Volume, error) {
	v.Kind = EmptyDir
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return Volume{}, fmt.Errorf("inspect emptyDir %s: %w", dir, err)
	}
	switch fs.Type {
	case unix.TMPFS_MAGIC:
		// A kubelet directory may itself lie on a tmpfs; medium Memory is a
		// separate mount.
		if mounted, err := isMountPoint(dir); err != nil {
			return Volume{}, err
		} else if mounted {
			v.Kind = Memory
			v.SizeLimit = fs.Blocks * uint64(fs.Bsize)
		}
	case unix.HUGETLBFS_MAGIC:
		return Volume{}, errors.New("emptyDir of medium HugePages is not supported")
	}
	return v.owned(dir)
}

// owned has the mode and the owner that the kubelet gave the volume's directory.
func (v Volume) owned(dir string) (Volume, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(dir, &stat); err != nil {
		return Volume{}, fmt.Errorf("inspect volume %s: %w", dir, err)
	}
	v.Mode, v.UID, v.GID = os.FileMode(stat.Mode&0o7777), stat.Uid, stat.Gid
	return v, nil
}

func isMountPoint(dir string) (bool, error) {
	var own, parent unix.Stat_t
	if err := unix.Lstat(dir, &own); err != nil {
		return false, fmt.Errorf("inspect %s: %w", dir, err)
	}
	if err := unix.Lstat(filepath.Dir(dir), &parent); err != nil {
		return false, fmt.Errorf("inspect %s: %w", filepath.Dir(dir), err)
	}
	return own.Dev != parent.Dev, nil
}

// volumeMount reads a bind mount's options.
func volumeMount(mount specs.Mount) (*guestv1.VolumeMount, error) {
	guest := &guestv1.VolumeMount{Destination: mount.Destination}
	for _, option := range mount.Options {
		switch option {
		case "bind", "rbind", "rw", "private", "rprivate":
		case "ro", "rro":
			guest.ReadOnly = true
		case "slave", "rslave":
			guest.Propagation = "rslave"
		case "shared", "rshared":
			guest.Propagation = "rshared"
		case "nosuid", "nodev", "noexec", "relatime", "noatime":
			// Never less strict than the guest's own options for a volume.
		default:
			return nil, fmt.Errorf("mount option %q at %s is not supported", option, mount.Destination)
		}
	}
	return guest, nil
}

// below returns path relative to dir if it is inside it.
func below(dir, path string) (string, bool) {
	rel, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/")
	return rel, ok && rel != ""
}

// volumeID names a volume in the guest. A hash, since names on the host may be
// longer than the guest's ids and hold other characters.
func volumeID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "v" + hex.EncodeToString(sum[:16])
}
