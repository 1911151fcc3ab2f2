// SPDX-License-Identifier: Apache-2.0

// Package probe does what the kubelet does on a node whose pods it can dial: HTTP, TCP and
// gRPC probes, and HTTP hooks. An admission policy turns those of tenants' pods into an exec
// of Path, which runs here instead, in the pod's network namespace. Each answers with the
// words that the kubelet would use (pkg/probe of Kubernetes).
package probe

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Exit codes.
const (
	succeeded = 0
	failed    = 1
	malformed = 2
)

// maxOutput is how much the kubelet reads of what an exec probe prints.
const maxOutput = 10 << 10

// kubernetes is the version by which servers know the kubelet's probes.
const kubernetes = "1.37"

// Result is what an exec probe would exit with and print.
type Result struct {
	Code   int
	Output string
}

// check is a probe's or hook's settings.
type check struct {
	host, port string
	timeout    time.Duration // 0: as long as the context
	// Of HTTP.
	scheme, path string
	headers      http.Header
	service      string // of gRPC
}

func (c *check) address() string { return net.JoinHostPort(c.host, c.port) }

// kinds are the words that follow Path.
var kinds = map[string]func(context.Context, *check) error{
	"http": probeHTTP,
	"hook": runHook,
	"tcp":  probeTCP,
	"grpc": probeGRPC,
}

// Run runs a probe, or hook, with the arguments that follow Path. The pod's own address
// is dialed unless they name a host.
func Run(ctx context.Context, address string, arguments []string) Result {
	run, c, err := parse(address, arguments)
	if err != nil {
		return Result{malformed, limit(err.Error())}
	}
	if c.timeout > 0 {
		// http.Client has its own limit, which its message names.
		bounded, cancel := context.WithTimeout(ctx, c.timeout+time.Second)
		defer cancel()
		ctx = bounded
	}
	if err := run(ctx, c); err != nil {
		return Result{failed, limit(err.Error())}
	}
	return Result{Code: succeeded}
}

func limit(words string) string { return strings.ToValidUTF8(words[:min(len(words), maxOutput)], "?") }

func parse(address string, arguments []string) (func(context.Context, *check) error, *check, error) {
	if len(arguments) == 0 || kinds[arguments[0]] == nil {
		return nil, nil, errors.New("the first argument is http, tcp, grpc or hook")
	}
	c := &check{headers: http.Header{}}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.host, "host", "", "")
	flags.StringVar(&c.port, "port", "", "")
	flags.StringVar(&c.scheme, "scheme", "HTTP", "")
	flags.StringVar(&c.path, "path", "", "")
	flags.StringVar(&c.service, "service", "", "")
	flags.Func("timeout", "", func(seconds string) error {
		number, err := strconv.ParseUint(seconds, 10, 31)
		c.timeout = time.Duration(number) * time.Second
		return err
	})
	flags.Func("header", "", func(header string) error {
		name, value, found := strings.Cut(header, ":")
		if !found {
			return errors.New("it has no colon")
		}
		c.headers.Add(name, strings.TrimPrefix(value, " "))
		return nil
	})
	if err := flags.Parse(arguments[1:]); err != nil {
		return nil, nil, err
	}
	if flags.NArg() > 0 {
		return nil, nil, fmt.Errorf("%q is not an option", flags.Arg(0))
	}
	if c.host == "" {
		c.host = address
	}
	return kinds[arguments[0]], c, c.checkPort()
}

// checkPort finds what the kubelet finds when it resolves a port. The policy has replaced
// the names that the container gives to its ports, so that a name here is unknown.
func (c *check) checkPort() error {
	number, err := strconv.Atoi(c.port)
	if err != nil {
		return fmt.Errorf("port %q not found", c.port)
	}
	if number < 1 || number > 65535 {
		return fmt.Errorf("invalid port number: %d", number)
	}
	return nil
}

// dialer closes its sockets without a long wait, so that many probes do not use up the
// pod's ports (pkg/probe/dialer_others.go).
func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: 1})
		})
	}}
}

func probeTCP(ctx context.Context, c *check) error {
	conn, err := dialer(c.timeout).DialContext(ctx, "tcp", c.address())
	if err != nil {
		return err
	}
	_ = conn.Close() // it could be opened, which is what was asked
	return nil
}
