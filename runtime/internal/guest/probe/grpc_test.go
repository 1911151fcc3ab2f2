// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// serveGRPC is a server of gRPC's own implementation.
func serveGRPC(t *testing.T, register func(*grpc.Server)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func TestAGRPCProbeAsksForTheHealthOfAService(t *testing.T) {
	checks := health.NewServer()
	checks.SetServingStatus("good", grpc_health_v1.HealthCheckResponse_SERVING)
	checks.SetServingStatus("bad", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	checks.SetServingStatus("unknown", grpc_health_v1.HealthCheckResponse_UNKNOWN)
	address := serveGRPC(t, func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, checks) })
	for service, want := range map[string]string{
		"": "", "good": "",
		"bad":     `service unhealthy (responded with "NOT_SERVING")`,
		"unknown": `service unhealthy (responded with "UNKNOWN")`,
		"missing": "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
	} {
		got := run(t, "grpc", address, "--service="+service)
		if got.Output != want || (got.Code == succeeded) != (want == "") {
			t.Errorf("%q: %+v", service, got)
		}
	}
}

func TestAServerWithoutTheHealthProtocolIsNamed(t *testing.T) {
	address := serveGRPC(t, func(*grpc.Server) {})
	want := "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health"
	if got := run(t, "grpc", address); got.Code != failed || got.Output != want {
		t.Errorf("got %+v", got)
	}
}

func TestAServerThatIsNotOfGRPCFails(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if got := run(t, "grpc", server.URL); got.Code != failed || !strings.HasPrefix(got.Output, "error: health rpc probe failed: ") {
		t.Errorf("got %+v", got)
	}
}
