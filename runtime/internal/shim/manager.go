// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	containerdshim "github.com/containerd/containerd/v2/pkg/shim"
	"google.golang.org/protobuf/types/known/anypb"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/vmstate"
)

// Name is the runtime's name in containerd's settings.
const Name = "io.containerd.hyper.v2"

// Environment of the serving process.
const (
	socketEnv  = "HYPERNETES_SHIM_SOCKET"
	sandboxEnv = "HYPERNETES_SHIM_SANDBOX"
	vmDirEnv   = "HYPERNETES_SHIM_VM_DIR"
)

// vmDirFile in the bundle names the directory of machines that the shim was
// started with: `delete` cleans up there, whatever the settings are by then.
const vmDirFile = "hypernetes-vm-dir"

// SandboxID is the sandbox the serving process was started for.
func SandboxID() string { return os.Getenv(sandboxEnv) }

// cleanTimeout leaves time in containerd's 5 s for a dead shim.
const cleanTimeout = 4 * time.Second

// exitKilled is the exit status reported for containers of a shim that died.
const exitKilled = 128 + int(syscall.SIGKILL)

// Manager serves the commands `start` and `delete`.
type Manager struct{}

// Name implements containerd's shim.Shim.
func (Manager) Name() string { return Name }

// Start starts the process that serves a sandbox, with its socket already
// open. containerd runs it in the bundle's directory.
func (Manager) Start(ctx context.Context, params *bootapi.BootstrapParams) (_ *bootapi.BootstrapResult, err error) {
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return nil, err
	}
	id := params.GetInstanceID()
	address, err := containerdshim.CreateSocketAddress(ctx, params.GetSocketDir(), params.GetContainerdGrpcAddress(), id, false)
	if err != nil {
		return nil, fmt.Errorf("name the shim's socket: %w", err)
	}
	socket, err := containerdshim.NewSocket(address)
	if containerdshim.SocketEaddrinuse(err) && !containerdshim.CanConnect(address) {
		// Left by a shim that was killed: sandbox IDs are never reused.
		if err := containerdshim.RemoveSocket(address); err != nil {
			return nil, fmt.Errorf("remove a stale socket: %w", err)
		}
		socket, err = containerdshim.NewSocket(address)
	}
	if err != nil {
		return nil, fmt.Errorf("open the shim's socket: %w", err)
	}
	defer socket.Close()
	socket.SetUnlinkOnClose(false) // it lives on in the child
	defer func() {
		if err != nil {
			err = errors.Join(err, removeSocket(address))
		}
	}()
	file, err := socket.File()
	if err != nil {
		return nil, fmt.Errorf("hand the shim's socket over: %w", err)
	}
	defer file.Close()
	cfg, err := config.Load(config.Path)
	if err != nil {
		return nil, err
	}
	// From here on `delete` finds everything, whichever process is killed.
	if err := os.WriteFile(vmDirFile, []byte(cfg.VMDir), 0o600); err != nil {
		return nil, fmt.Errorf("write to the bundle: %w", err)
	}
	state := vmstate.State{SandboxID: id, Socket: socketPath(address)}
	if err := vmstate.Save(cfg.VMDir, state); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, vmstate.Clean(ctx, cfg.VMDir, id))
		}
	}()
	if state.Shim, err = serve(id, namespace, address, cfg.VMDir, params, file); err != nil {
		return nil, err
	}
	if err := vmstate.Save(cfg.VMDir, state); err != nil {
		return nil, errors.Join(err, state.Shim.Kill(ctx))
	}
	capabilities, err := anypb.New(&types.MountCapabilities{
		// All mounts are passed as they are: the shim mounts nothing on the host.
		Types:      []string{"erofs", "loop", "overlay"},
		Transforms: []string{"format", "mkfs", "mkdir"},
	})
	if err != nil {
		return nil, fmt.Errorf("report the mount capabilities: %w", err)
	}
	return &bootapi.BootstrapResult{
		Version: 3, Protocol: "ttrpc", Address: address,
		Extensions: []*bootapi.Extension{{Value: capabilities}},
	}, nil
}

func serve(id, namespace, address, vmDir string, params *bootapi.BootstrapParams, socket *os.File) (vmstate.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return vmstate.Process{}, fmt.Errorf("find the shim's program: %w", err)
	}
	arguments := []string{"-namespace", namespace, "-id", id, "-address", params.GetContainerdGrpcAddress()}
	if params.GetLogLevel() == bootapi.LogLevel_LOG_LEVEL_DEBUG || params.GetLogLevel() == bootapi.LogLevel_LOG_LEVEL_TRACE {
		arguments = append(arguments, "-debug")
	}
	cmd := exec.Command(self, arguments...)
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // signals to containerd's group pass it by
	cmd.Env = append(os.Environ(), socketEnv+"="+address, sandboxEnv+"="+id, vmDirEnv+"="+vmDir,
		// Two threads run Go code at most; more only cost stacks.
		"GOMAXPROCS=2")
	if err := cmd.Start(); err != nil {
		return vmstate.Process{}, fmt.Errorf("start the shim: %w", err)
	}
	process, err := vmstate.Find(cmd.Process.Pid)
	if err == nil {
		// As containerd's own: containerd is killed after its shims.
		err = containerdshim.AdjustOOMScore(cmd.Process.Pid)
	}
	if err != nil {
		return process, errors.Join(err, cmd.Process.Kill())
	}
	return process, cmd.Process.Release()
}

// Stop cleans up after a shim, dead or alive. containerd calls it for every
// container's connection that ends as well; those own nothing.
func (Manager) Stop(ctx context.Context, id string) (containerdshim.StopStatus, error) {
	status := containerdshim.StopStatus{ExitStatus: exitKilled, ExitedAt: time.Now()}
	bundle := "."
	if opts, ok := ctx.Value(containerdshim.OptsKey{}).(containerdshim.Opts); ok && opts.BundlePath != "" {
		bundle = opts.BundlePath
	}
	if _, err := os.Stat(filepath.Join(bundle, "sandbox")); err == nil {
		return status, nil // a container's bundle names its sandbox
	}
	vmDir, err := usedVMDir(bundle)
	if err != nil {
		return status, err
	}
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	if err := vmstate.Clean(ctx, vmDir, id); err != nil {
		return status, fmt.Errorf("clean up after sandbox %s: %w", id, err)
	}
	return status, nil
}

// usedVMDir is where a bundle's shim keeps its machine's state.
func usedVMDir(bundle string) (string, error) {
	if text, err := os.ReadFile(filepath.Join(bundle, vmDirFile)); err == nil && filepath.IsAbs(string(text)) {
		return string(text), nil
	}
	cfg, err := config.Load(config.Path) // the bundle is gone, or of an earlier version
	return cfg.VMDir, err
}

func socketPath(address string) string { return strings.TrimPrefix(address, "unix://") }

func removeSocket(address string) error {
	if !strings.HasPrefix(address, "unix://") {
		return nil
	}
	if err := containerdshim.RemoveSocket(address); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the shim's socket: %w", err)
	}
	return nil
}

// Info describes the runtime to containerd.
func (Manager) Info(context.Context, io.Reader) (*types.RuntimeInfo, error) {
	return &types.RuntimeInfo{Name: Name, Version: &types.RuntimeVersion{Version: "1"}}, nil
}
