// SPDX-License-Identifier: Apache-2.0

// Package boot turns a kernel that has just started PID 1 into a system that can run
// containers. What the first message to the host needs comes first.
package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/guest/disk"
)

// RootSerial is the serial of the disk with the guest's own root file system.
const RootSerial = "hypernetes-root"

// Directories of the running guest.
const (
	StateDir    = "/run/hypernetes"
	WritableDir = StateDir + "/writable" // where containers' scratch disks are mounted
	EmptyDirs   = StateDir + "/empty"    // where emptyDirs' scratch disks are mounted
	FilesDir    = StateDir + "/files"
	MemoryDir   = StateDir + "/memory"
	SharedDir   = "/dev/shm"
	CgroupDir   = "/sys/fs/cgroup"
)

const (
	newRoot      = "/root"
	filesOptions = "mode=0711,size=25%"
)

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

const (
	safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
)

// Early mounts what is needed to find the channel.
func Early() error {
	return mountAll([]mount{
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
		{"proc", "/proc", "proc", safe, ""},
		{"sysfs", "/sys", "sysfs", safe, ""},
	})
}

// OpenPort waits for the virtio-serial port and opens it.
func OpenPort(timeout time.Duration) (*os.File, error) {
	for deadline := time.Now().Add(timeout); ; time.Sleep(time.Millisecond) {
		ports, err := filepath.Glob("/dev/vport*p1")
		if err != nil {
			return nil, fmt.Errorf("scan for the channel's port: %w", err)
		}
		if len(ports) > 0 {
			// Non-blocking, so that Go's poller serves it and Close interrupts a read.
			port, err := os.OpenFile(ports[0], os.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err == nil {
				return port, nil
			}
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("open the channel's port: %w", err)
			}
		}
		if time.Now().After(deadline) {
			return nil, errors.New("the machine has no channel port")
		}
	}
}

// Root mounts the root disk and makes it the root of this process and of all it
// starts. It does not use switch_root: nothing needs to be executed again.
func Root() error {
	if err := disk.Scan(); err != nil {
		return err
	}
	device, err := disk.Find(RootSerial, 10*time.Second)
	if err != nil {
		return fmt.Errorf("find the root disk: %w", err)
	}
	if err := mountAll([]mount{{device, newRoot, "erofs", unix.MS_RDONLY | unix.MS_NODEV, ""}}); err != nil {
		return err
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, newRoot+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	if err := unix.Chdir(newRoot); err != nil {
		return fmt.Errorf("enter the root disk: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root disk to /: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	return late()
}

func late() error {
	for _, dir := range []string{"/dev/pts", "/dev/shm", "/dev/mqueue"} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("prepare mounts: %w", err)
		}
	}
	err := mountAll([]mount{
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		// The size is what CRI runtimes give a pod.
		{"shm", SharedDir, "tmpfs", safe, "mode=1777,size=64m"},
		{"mqueue", "/dev/mqueue", "mqueue", safe, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755,size=16m"},
		{"tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777,size=16m"},
		{"cgroup2", CgroupDir, "cgroup2", safe, "nsdelegate"},
	})
	if err != nil {
		return err
	}
	for _, dir := range []string{StateDir, WritableDir, EmptyDirs, FilesDir, MemoryDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("prepare the state directory: %w", err)
		}
	}
	// A separate tmpfs: a container that fills a file volume it may write
	// (its termination log) must not take the runtime's own state with it.
	err = mountAll([]mount{{"files", FilesDir, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, filesOptions}})
	if err != nil {
		return err
	}
	controllers := filepath.Join(CgroupDir, "cgroup.subtree_control")
	if err := os.WriteFile(controllers, []byte("+cpu +memory +pids +io"), 0); err != nil {
		return fmt.Errorf("enable cgroup controllers: %w", err)
	}
	// Containers' mounts must not propagate to the guest.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return Settle()
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}
