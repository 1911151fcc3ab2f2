// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/vmm"
)

// jailedGuest is the guest's directory in the monitor's root file system.
const jailedGuest = "/guest"

// binding is a file or directory of the host that the monitor sees.
type binding struct {
	source, target string
	attributes     uint64 // MOUNT_ATTR_*
	tree           int    // a detached mount of source
	directory      bool
}

// link is a symbolic link that the monitor sees as the host has it.
type link struct{ path, target string }

const (
	forFiles    = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	forData     = forFiles | unix.MOUNT_ATTR_NOEXEC
	forDevices  = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
	jailOptions = "mode=755,size=256k,nr_inodes=256"
)

// enterJail gives the calling thread a mount namespace whose root holds, read-only,
// what the monitor needs to run and nothing else of the host, and returns where its
// program is in it. The thread keeps nothing of the host's file systems but open files.
//
// /proc is there for /proc/self only: it shows no process that the monitor could not
// trace, which are its own, and nothing of the system (hidepid, subset; proc(5)).
func enterJail(spec vmm.Spec) (string, error) {
	program, err := filepath.EvalSymlinks(spec.Executable)
	if err != nil {
		return "", fmt.Errorf("find the monitor: %w", err)
	}
	bindings, links, err := jailContents(program, spec)
	if err != nil {
		return "", fmt.Errorf("find what the monitor needs: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return "", fmt.Errorf("create a mount namespace: %w", err)
	}
	unix.Umask(0o022) // the thread's own since then: the monitor's user must see what is made here
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("separate the mounts from the host's: %w", err)
	}
	defer closeTrees(bindings)
	if err := cloneTrees(bindings); err != nil {
		return "", err
	}
	// Any directory would do: what it hides is no longer needed.
	root := spec.GuestDir
	if err := unix.Mount("hypernetes", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, jailOptions); err != nil {
		return "", fmt.Errorf("mount the monitor's root: %w", err)
	}
	if err := fillJail(root, bindings, links); err != nil {
		return "", err
	}
	return program, pivot(root)
}

// jailContents lists what the monitor needs: its program, the libraries and firmware of
// the installation it is part of and of the system's, the guest, and for KVM its device.
func jailContents(program string, spec vmm.Spec) ([]binding, []link, error) {
	bindings := []binding{
		{source: program, target: program, attributes: forFiles},
		{source: spec.GuestDir, target: jailedGuest, attributes: forData},
	}
	if spec.Accelerator == vmm.AcceleratorKVM {
		bindings = append(bindings, binding{source: kvmDevice, target: kvmDevice, attributes: forDevices})
	}
	prefixes := []string{"/", "/usr"}
	if own := filepath.Dir(filepath.Dir(program)); !slices.Contains(prefixes, own) {
		prefixes = append(prefixes, own)
	}
	paths := []string{"/etc/ld.so.cache"}
	for _, prefix := range prefixes {
		for _, name := range []string{"lib", "lib64", "share/qemu", "share/qemu-kvm", "share/qboot", "share/seabios"} {
			paths = append(paths, filepath.Join(prefix, name))
		}
	}
	var links []link
	for _, path := range paths {
		switch info, err := os.Lstat(path); {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		case err != nil:
			return nil, nil, err
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return nil, nil, err
			}
			links = append(links, link{path, target})
		default:
			bindings = append(bindings, binding{source: path, target: path, attributes: forFiles})
		}
	}
	return bindings, links, nil
}

// cloneTrees takes hold of the sources, before their paths are gone.
func cloneTrees(bindings []binding) error {
	for i := range bindings {
		b := &bindings[i]
		info, err := os.Stat(b.source)
		if err != nil {
			return fmt.Errorf("find what the monitor needs: %w", err)
		}
		b.directory = info.IsDir()
		tree, err := unix.OpenTree(unix.AT_FDCWD, b.source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return fmt.Errorf("take %s into the monitor's root: %w", b.source, err)
		}
		b.tree = tree
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: b.attributes}); err != nil {
			return fmt.Errorf("protect %s: %w", b.source, err)
		}
	}
	return nil
}

func closeTrees(bindings []binding) {
	for _, b := range bindings {
		if b.tree > 0 {
			_ = unix.Close(b.tree) // it has its place, or is dropped
		}
	}
}

func fillJail(root string, bindings []binding, links []link) error {
	for _, b := range bindings {
		target := filepath.Join(root, b.target)
		if err := mountPoint(target, b.directory); err != nil {
			return fmt.Errorf("fill the monitor's root: %w", err)
		}
		if err := unix.MoveMount(b.tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("take %s into the monitor's root: %w", b.source, err)
		}
	}
	for _, l := range links {
		path := filepath.Join(root, l.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("fill the monitor's root: %w", err)
		}
		if err := os.Symlink(l.target, path); err != nil {
			return fmt.Errorf("fill the monitor's root: %w", err)
		}
	}
	proc := filepath.Join(root, "proc")
	if err := os.Mkdir(proc, 0o555); err != nil {
		return fmt.Errorf("fill the monitor's root: %w", err)
	}
	if err := unix.Mount("proc", proc, "proc", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=ptraceable,subset=pid"); err != nil {
		return fmt.Errorf("mount the monitor's /proc: %w", err)
	}
	return nil
}

// mountPoint creates a directory or an empty file, unless a binding has it already.
func mountPoint(path string, directory bool) error {
	if directory {
		return os.MkdirAll(path, 0o755)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o644)
}

// pivot makes root the calling thread's root, read-only, and drops everything else
// (pivot_root(2), "pivot_root(".", ".")").
func pivot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter the monitor's root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("enter the monitor's root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("drop the host's root: %w", err)
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: forData}); err != nil {
		return fmt.Errorf("protect the monitor's root: %w", err)
	}
	return nil
}
