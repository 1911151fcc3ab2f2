// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// innerEnv marks the test process that runs in its own namespaces, and names
// its directory.
const innerEnv = "HYPERNETES_INTEGRATION_DIR"

func TestMain(m *testing.M) {
	code, err := enter(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func enter(m *testing.M) (int, error) {
	if dir := os.Getenv(innerEnv); dir != "" {
		if err := prepare(dir); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	if os.Getenv("HYPERNETES_DIST") == "" {
		return 1, errors.New("HYPERNETES_DIST is not set: run distribution/build --output DIST, and set it to DIST")
	}
	dir, err := os.MkdirTemp("", "hypernetes-integration-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+"/", "../../cmd/containerd-shim-hyper-v2", "../../cmd/hypernetes-templates")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("build the programs: %w", err)
	}
	inner := exec.Command("/proc/self/exe", os.Args[1:]...)
	inner.Env = append(os.Environ(), innerEnv+"="+dir)
	inner.Stdin, inner.Stdout, inner.Stderr = os.Stdin, os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL,
	}
	if err := inner.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode(), nil
		}
		return 1, err
	}
	return 0, nil
}

// prepare gives this process, the first of its namespaces, the paths of a node.
func prepare(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	for _, name := range []string{"lib", "etc", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	overlay := fmt.Sprintf("lowerdir=/etc,upperdir=%s/etc,workdir=%s/work", dir, dir)
	for _, mount := range []struct {
		source, target, kind, options string
		flags                         uintptr
	}{
		{"proc", "/proc", "proc", "", 0},
		{"tmpfs", "/run", "tmpfs", "mode=755", 0},
		{filepath.Join(dir, "lib"), "/var/lib", "", "", unix.MS_BIND},
		{"overlay", "/etc", "overlay", overlay, 0},
	} {
		if err := unix.Mount(mount.source, mount.target, mount.kind, mount.flags, mount.options); err != nil {
			return fmt.Errorf("mount %s: %w", mount.target, err)
		}
	}
	for _, command := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", "br0", "type", "bridge"},
		{"ip", "address", "add", "10.77.0.1/24", "dev", "br0"},
		{"ip", "link", "set", "br0", "up"},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", command, err, out)
		}
	}
	return configure()
}

// configure writes the node's files.
func configure() error {
	accelerator := os.Getenv("HYPERNETES_ACCELERATOR")
	if accelerator == "" {
		accelerator = "tcg"
	}
	guest := filepath.Join(os.Getenv("HYPERNETES_DIST"), "guest")
	plugin, err := filepath.Abs("testdata/cni-test")
	if err != nil {
		return err
	}
	for _, dir := range []string{"/etc/hypernetes", "/run/test/cni/bin", "/run/test/cni/conf", "/run/hypernetes", "/var/lib/kubelet/pods"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for path, text := range map[string]string{
		"/etc/hypernetes/runtime.json":    fmt.Sprintf(`{"guest_dir":%q,"accelerator":%q,"scratch_size":1073741824}`, guest, accelerator),
		"/run/test/cni/conf/10-test.conf": `{"cniVersion":"1.0.0","name":"test","type":"cni-test"}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.Symlink(plugin, "/run/test/cni/bin/cni-test")
}
