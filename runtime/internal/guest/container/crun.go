// SPDX-License-Identifier: Apache-2.0

package container

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/guest/reaper"
)

const (
	crunPath = "/usr/bin/crun"
	// Under software emulation on a loaded host a start takes a second; a
	// minute means that something hangs.
	crunTimeout = 60 * time.Second
)

// crun runs the OCI runtime, always detached: the container's processes become
// children of PID 1, that is of this program.
type crun struct {
	reaper *reaper.Reaper
	root   string // its state
}

// run creates and starts a container in one call, which saves one execution of
// crun compared with create and start.
func (r *crun) run(id, bundle string, p *process, console string) (int, error) {
	pidFile := filepath.Join(bundle, "pid")
	return r.detached(bundle, pidFile, p, console, "run", "--detach", "--no-new-keyring", "--bundle", bundle, "--pid-file", pidFile, id)
}

// exec starts one more process from a file with an OCI process.
func (r *crun) exec(id, dir, specification string, p *process, console string) (int, error) {
	pidFile := filepath.Join(dir, "pid")
	return r.detached(dir, pidFile, p, console, "exec", "--detach", "--process", specification, "--pid-file", pidFile, id)
}

// forget removes crun's state of a stopped container, as `crun delete` does without
// hooks and systemd, but without executing it.
func (r *crun) forget(id string) error {
	return os.RemoveAll(filepath.Join(r.root, id))
}

func (r *crun) detached(dir, pidFile string, p *process, console string, verb string, arguments ...string) (int, error) {
	run := func(extra ...string) error {
		return r.command(dir, p, verb, append(extra, arguments...)...)
	}
	var master *os.File
	var err error
	if p.io.terminal {
		master, err = withTerminal(console, func() error { return run("--console-socket", console) })
	} else {
		err = run()
	}
	if err != nil {
		return 0, err
	}
	pid, err := readPid(pidFile)
	if err != nil {
		if master != nil {
			_ = master.Close() // the first error is the one to report
		}
		return 0, err
	}
	p.io.running(master)
	return pid, nil
}

func readPid(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the process ID: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the process ID: %w", err)
	}
	return pid, nil
}

func (r *crun) command(dir string, p *process, verb string, arguments ...string) error {
	log := filepath.Join(dir, "crun.log")
	argv := append([]string{crunPath, "--root", r.root, "--log", log, "--log-format", "json", verb}, arguments...)
	pid, exited, err := r.reaper.Start(argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/bin:/bin"},
		Files: p.io.files(),
	}, p.adjustment) // crun sets it for containers only, and never to 0
	if err != nil {
		return err
	}
	timer := time.NewTimer(crunTimeout)
	defer timer.Stop()
	select {
	case exit := <-exited:
		if exit.Code == 0 {
			return nil
		}
		return fmt.Errorf("%w: %s", ErrRuntime, lastError(log, exit.Code))
	case <-timer.C:
		_ = r.reaper.Signal(pid, unix.SIGKILL) // otherwise it has just exited
		<-exited
		return fmt.Errorf("%w: crun %s took longer than %s", ErrRuntime, verb, crunTimeout)
	}
}

// lastError returns the message that crun logged last, without the log's format.
func lastError(log string, code int) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return fmt.Sprintf("crun ended with status %d", code)
	}
	message := fmt.Sprintf("crun ended with status %d", code)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Level == "error" {
			message = entry.Msg
		}
	}
	return message
}

// withTerminal runs a function that makes crun send a terminal to the socket, and receives it.
func withTerminal(console string, run func() error) (*os.File, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: console, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for the terminal: %w", err)
	}
	type result struct {
		master *os.File
		err    error
	}
	received := make(chan result, 1)
	go func() {
		master, err := acceptTerminal(listener)
		received <- result{master, err}
	}()
	failed := run()
	if failed != nil {
		_ = listener.Close() // ends the goroutine
	}
	got := <-received
	if failed != nil {
		if got.master != nil {
			_ = got.master.Close() // of a process that did not start
		}
		return nil, failed
	}
	if err := errors.Join(got.err, listener.Close()); err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	return got.master, nil
}

func acceptTerminal(listener *net.UnixListener) (*os.File, error) {
	if err := listener.SetDeadline(time.Now().Add(crunTimeout + 5*time.Second)); err != nil {
		return nil, err
	}
	conn, err := listener.AcceptUnix()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(crunTimeout)); err != nil {
		return nil, err
	}
	name, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, length, _, _, err := conn.ReadMsgUnix(name, rights)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:length])
	if err != nil {
		return nil, err
	}
	if len(messages) != 1 {
		return nil, errors.New("crun sent no terminal")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	if len(fds) != 1 {
		return nil, errors.New("crun sent no terminal")
	}
	// Non-blocking, so that Go's poller serves it and Close interrupts a read.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, errors.Join(err, unix.Close(fds[0]))
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}
