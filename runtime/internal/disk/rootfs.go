// SPDX-License-Identifier: Apache-2.0

// Package disk converts the mounts that containerd asks for into what a machine
// can have: read-only layer files and writable scratch disks.
package disk

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/api/types"
)

// maxLayers bounds a container's layers: overlayfs refuses more than 500, and
// every layer is a disk of the machine.
const maxLayers = 256

var (
	// What the erofs snapshotter writes: "{{ mount 0 }}" for one lower layer,
	// "{{ overlay 0 3 }}" for several, top first.
	oneLower   = regexp.MustCompile(`^\{\{ mount (\d{1,3}) \}\}$`)
	manyLowers = regexp.MustCompile(`^\{\{ overlay (\d{1,3}) (\d{1,3}) \}\}$`)
	snapshotID = regexp.MustCompile(`^\d{1,19}$`)
)

// SnapshotDir is where containerd's erofs snapshotter keeps layers.
func SnapshotDir(containerdRoot string) string {
	return filepath.Join(containerdRoot, "io.containerd.snapshotter.v1.erofs", "snapshots")
}

// Rootfs is what a container's root file system is made of.
type Rootfs struct {
	Layers []string // files, lowest first
	// Upper is the directory of the host in which containerd looks for what the
	// container has written.
	Upper string
}

// ParseRootfs reads the mounts containerd made for a container's root file system.
// Everything but "erofs layers under one overlay" is refused: the shim mounts nothing
// on the host, so it must understand all it is asked for.
func ParseRootfs(snapshotDir string, mounts []*types.Mount) (Rootfs, error) {
	if len(mounts) == 0 {
		return Rootfs{}, errors.New("the container has no root file system")
	}
	if len(mounts)-1 > maxLayers {
		return Rootfs{}, fmt.Errorf("the image has %d layers; at most %d are supported", len(mounts)-1, maxLayers)
	}
	overlay := mounts[len(mounts)-1]
	lowers := mounts[:len(mounts)-1]
	if len(lowers) == 0 {
		return Rootfs{}, soleMountError(overlay)
	}
	layers := make([]string, 0, len(lowers))
	for _, lower := range lowers {
		path, err := layer(snapshotDir, lower)
		if err != nil {
			return Rootfs{}, err
		}
		layers = append(layers, path)
	}
	slices.Reverse(layers) // containerd's are top first
	stacked, err := parseOverlay(overlay)
	if err != nil {
		return Rootfs{}, err
	}
	if stacked.first != 0 || stacked.last != len(layers)-1 {
		return Rootfs{}, fmt.Errorf("the overlay uses mounts %d to %d of %d", stacked.first, stacked.last, len(layers))
	}
	if !inSnapshot(snapshotDir, stacked.upper, "fs") {
		return Rootfs{}, fmt.Errorf("the writable layer %q is not of the node's erofs snapshotter", stacked.upper)
	}
	return Rootfs{Layers: layers, Upper: stacked.upper}, nil
}

// inSnapshot says whether path is what the snapshotter calls name in one of its snapshots.
func inSnapshot(snapshotDir, path, name string) bool {
	dir, file := filepath.Split(path)
	return file == name && filepath.Clean(path) == path &&
		filepath.Dir(filepath.Clean(dir)) == snapshotDir && snapshotID.MatchString(filepath.Base(dir))
}

// soleMountError explains why a root file system of a single mount is refused.
func soleMountError(mount *types.Mount) error {
	switch mount.GetType() {
	case "erofs":
		return errors.New("a read-only view of one layer cannot be a container's root file system")
	case "bind":
		return errors.New("images without any layer are not supported")
	case "overlay":
		return errors.New("the container's snapshotter is not erofs: set snapshotter = \"erofs\" for this runtime")
	}
	return fmt.Errorf("mount type %q cannot be a container's root file system", mount.GetType())
}

// layer checks one erofs mount and returns its file.
func layer(snapshotDir string, mount *types.Mount) (string, error) {
	switch mount.GetType() {
	case "erofs":
	case "mkfs/ext4":
		return "", errors.New("the snapshotter's block mode (default_size) is not supported: " +
			"containerd would not report the use of a writable layer (plugins/snapshots/erofs, Usage)")
	default:
		return "", fmt.Errorf("mount type %q of a layer is not supported: layers must be erofs", mount.GetType())
	}
	for _, option := range mount.GetOptions() {
		switch {
		case option == "ro" || option == "loop":
		case strings.HasPrefix(option, "device="):
			return "", errors.New("merged layers (max_unmerged_layers) are not supported")
		case strings.HasPrefix(option, "X-containerd.dmverity="):
			return "", errors.New("dm-verity layers are not supported")
		default:
			return "", fmt.Errorf("layer option %q is not supported", option)
		}
	}
	source := mount.GetSource()
	// A layer from a content cache or any other place was not created by this
	// node's mkfs.erofs from a tar archive.
	if !inSnapshot(snapshotDir, source, "layer.erofs") {
		return "", fmt.Errorf("layer %q was not created by the node's erofs snapshotter: ready-made erofs layers are refused", source)
	}
	return source, nil
}

// stack is an overlay's layers: the preceding mounts from first to last, and a
// writable directory.
type stack struct {
	first, last int
	upper       string
}

func parseOverlay(overlay *types.Mount) (found stack, err error) {
	switch overlay.GetType() {
	case "overlay", "format/overlay", "format/mkdir/overlay":
	case "format/bind", "bind":
		return found, errors.New("a read-only view cannot be a container's root file system")
	default:
		return found, fmt.Errorf("mount type %q cannot be a container's root file system", overlay.GetType())
	}
	lowers := false
	for _, option := range overlay.GetOptions() {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "lowerdir":
			if lowers {
				return found, errors.New("the overlay names its lower layers twice")
			}
			if found.first, found.last, err = parseLower(value); err != nil {
				return found, err
			}
			lowers = true
		case "upperdir":
			found.upper = value
		// The guest creates its own work directory and chooses its own options;
		// dropping these does not change what the container sees.
		case "workdir", "X-containerd.mkdir.path", "index", "volatile", "metacopy", "xino", "redirect_dir":
		case "uidmap", "gidmap":
			return found, errors.New("user namespaces (hostUsers: false) are not supported: the pod has its own machine")
		default:
			return found, fmt.Errorf("overlay option %q is not supported", key)
		}
	}
	if !lowers {
		return found, errors.New("the overlay names no lower layer")
	}
	if found.upper == "" {
		return found, errors.New("the overlay has no writable layer")
	}
	return found, nil
}

func parseLower(value string) (first, last int, err error) {
	if match := oneLower.FindStringSubmatch(value); match != nil {
		n, err := strconv.Atoi(match[1])
		return n, n, err
	}
	if match := manyLowers.FindStringSubmatch(value); match != nil {
		first, err = strconv.Atoi(match[1])
		if err != nil {
			return 0, 0, err
		}
		last, err = strconv.Atoi(match[2])
		return first, last, err
	}
	return 0, 0, fmt.Errorf("lower layers %q are not understood", value)
}
