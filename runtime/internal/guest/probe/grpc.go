// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// One unary call of grpc.health.v1.Health, over net/http: grpc-go would double the size of
// hyper-guest, which is unpacked at each boot. See the gRPC protocol over HTTP/2
// (PROTOCOL-HTTP2.md) and grpc/health/v1/health.proto.
const (
	healthCheck   = "/grpc.health.v1.Health/Check"
	serviceField  = 1
	statusField   = 1
	messagePrefix = 5 // compressed(1) length(4)
	maxMessage    = 64 << 10
	retryDelay    = 100 * time.Millisecond
)

// servingStatus are the names of HealthCheckResponse.ServingStatus.
var servingStatus = map[uint64]string{0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

func probeGRPC(ctx context.Context, c *check) error {
	if c.timeout > 0 {
		bounded, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		ctx = bounded
	}
	conn, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	status, err := askHealth(ctx, c, conn)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timeout: health rpc did not complete within %v", c.timeout)
	}
	if err != nil {
		return err
	}
	if name := servingStatus[status]; name != "SERVING" {
		if name == "" {
			name = strconv.FormatUint(status, 10)
		}
		return fmt.Errorf("service unhealthy (responded with %q)", name)
	}
	return nil
}

// connect dials until the time is up, as grpc-go does when it blocks.
func connect(ctx context.Context, c *check) (net.Conn, error) {
	for {
		conn, err := dialer(0).DialContext(ctx, "tcp", c.address())
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("timeout: failed to connect service %q within %v: %w", c.address(), c.timeout, ctx.Err())
		case <-time.After(retryDelay):
		}
	}
}

func askHealth(ctx context.Context, c *check, conn net.Conn) (uint64, error) {
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, Protocols: new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	target := url.URL{Scheme: "http", Host: c.address(), Path: healthCheck}
	question := protowire.AppendTag(nil, serviceField, protowire.BytesType)
	question = protowire.AppendString(question, c.service)
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(question)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(append(body, question...)))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	request.Header.Set("User-Agent", "kube-probe/"+kubernetes)
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, rpcFailed(ctx, codes.Unavailable, err.Error())
	}
	defer answer.Body.Close()
	message, err := io.ReadAll(io.LimitReader(answer.Body, maxMessage))
	if err != nil {
		return 0, rpcFailed(ctx, codes.Unavailable, err.Error())
	}
	if err := outcome(ctx, answer); err != nil {
		return 0, err
	}
	return serving(ctx, message)
}

// outcome is the status of the call, which follows the message, or comes instead of it.
func outcome(ctx context.Context, answer *http.Response) error {
	code := answer.Trailer.Get("Grpc-Status")
	words := answer.Trailer.Get("Grpc-Message")
	if code == "" {
		code, words = answer.Header.Get("Grpc-Status"), answer.Header.Get("Grpc-Message")
	}
	if code == "" {
		return rpcFailed(ctx, codes.Unknown, fmt.Sprintf("unexpected HTTP status code received from server: %d (%s)",
			answer.StatusCode, http.StatusText(answer.StatusCode)))
	}
	number, err := strconv.ParseUint(code, 10, 32)
	if err != nil {
		return rpcFailed(ctx, codes.Internal, fmt.Sprintf("malformed grpc-status: %q", code))
	}
	if decoded, err := url.PathUnescape(words); err == nil {
		words = decoded
	}
	switch codes.Code(number) {
	case codes.OK:
		return nil
	case codes.Unimplemented:
		return fmt.Errorf("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): %s", words)
	default:
		return rpcFailed(ctx, codes.Code(number), words)
	}
}

func rpcFailed(ctx context.Context, code codes.Code, words string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("error: health rpc probe failed: rpc error: code = %s desc = %s", code, words)
}

// serving reads the status of a HealthCheckResponse; what is absent is 0.
func serving(ctx context.Context, body []byte) (status uint64, _ error) {
	if len(body) < messagePrefix || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-messagePrefix {
		return 0, rpcFailed(ctx, codes.Internal, "the answer is not one message")
	}
	for rest := body[messagePrefix:]; len(rest) > 0; {
		number, kind, length := protowire.ConsumeTag(rest)
		if length < 0 {
			return 0, rpcFailed(ctx, codes.Internal, "the answer is not a HealthCheckResponse")
		}
		rest = rest[length:]
		if number == statusField && kind == protowire.VarintType {
			status, length = protowire.ConsumeVarint(rest)
		} else {
			length = protowire.ConsumeFieldValue(number, kind, rest)
		}
		if length < 0 {
			return 0, rpcFailed(ctx, codes.Internal, "the answer is not a HealthCheckResponse")
		}
		rest = rest[length:]
	}
	return status, nil
}
