// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// options are how an admission policy names a server.
func options(t *testing.T, address string, more ...string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"--host=" + host, "--port=" + port, "--timeout=5"}, more...)
}

func run(t *testing.T, kind, address string, more ...string) Result {
	t.Helper()
	return Run(t.Context(), "192.0.2.1", append([]string{kind}, options(t, address, more...)...))
}

// closedPort is one at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestAnHTTPProbeJudgesTheStatus(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.Repeat("x", 20<<10))) // more than is read
	}))
	defer server.Close()
	for status, want := range map[int]Result{
		200: {}, 204: {}, 304: {}, 399: {},
		400: {1, "HTTP probe failed with statuscode: 400"},
		404: {1, "HTTP probe failed with statuscode: 404"},
		500: {1, "HTTP probe failed with statuscode: 500"},
	} {
		if got := run(t, "http", server.URL, fmt.Sprintf("--path=/%d", status)); got != want {
			t.Errorf("%d: %+v", status, got)
		}
		if got := run(t, "hook", server.URL, fmt.Sprintf("--path=/%d", status)); got != (Result{}) {
			t.Errorf("hook, %d: %+v", status, got)
		}
	}
}

func TestWhatAnHTTPProbeSends(t *testing.T) {
	var seen *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r }))
	defer server.Close()
	for name, c := range map[string]struct {
		kind    string
		options []string
		right   func(*http.Request) bool
	}{
		"nothing but the path": {"http", []string{"--path=/a?b=c%20d"}, func(r *http.Request) bool {
			return r.Method == "GET" && r.RequestURI == "/a?b=c%20d" && r.Header.Get("Accept") == "*/*" &&
				r.UserAgent() == "kube-probe/"+kubernetes && len(r.Header["Accept-Encoding"]) == 0 && r.Close
		}},
		"a hook": {"hook", nil, func(r *http.Request) bool { return r.UserAgent() == "kube-lifecycle/"+kubernetes }},
		"headers": {"http", []string{"--header=X-One: a: b", "--header=x-one: c", "--header=Host: name.example",
			"--header=User-Agent: mine", "--header=Accept: "}, func(r *http.Request) bool {
			return fmt.Sprint(r.Header["X-One"]) == "[a: b c]" && r.Host == "name.example" && r.UserAgent() == "mine" &&
				len(r.Header["Accept"]) == 0
		}},
		"no path": {"http", nil, func(r *http.Request) bool { return r.RequestURI == "/" }},
	} {
		if got := run(t, c.kind, server.URL, c.options...); got.Code != succeeded || !c.right(seen) {
			t.Errorf("%s: %+v, %s %s %v", name, got, seen.Host, seen.RequestURI, seen.Header)
		}
	}
}

func TestRedirectsAreFollowedWithinAHost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "http://other.example/", http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/bad", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	for path, want := range map[string]string{
		"/elsewhere": "", "/here": "HTTP probe failed with statuscode: 503", "/round": `Get "/round": stopped after 10 redirects`,
	} {
		if got := run(t, "http", server.URL, "--path="+path); got.Output != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestTLSIsNotVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	if got := run(t, "http", server.URL, "--scheme=HTTPS"); got.Code != succeeded {
		t.Errorf("got %+v", got)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	if got := run(t, "http", plain.URL, "--scheme=HTTPS"); !strings.Contains(got.Output, "server gave HTTP response to HTTPS client") {
		t.Errorf("a probe: %+v", got)
	}
	if got := run(t, "hook", plain.URL, "--scheme=HTTPS"); got.Code != succeeded {
		t.Errorf("a hook is sent again without TLS: %+v", got)
	}
}

func TestFailuresReadAsTheKubelets(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed := closedPort(t)
	for _, c := range []struct {
		kind, address, want string
		options             []string
	}{
		{"http", closed, `Get "http://` + closed + `/x": dial tcp ` + closed + ": connect: connection refused", []string{"--path=/x"}},
		{"tcp", closed, "dial tcp " + closed + ": connect: connection refused", nil},
		{"http", silent.Addr().String(), `Get "http://` + silent.Addr().String() +
			`": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, []string{"--timeout=1"}},
		{"grpc", closed, `timeout: failed to connect service "` + closed + `" within 1s: context deadline exceeded`, []string{"--timeout=1"}},
		{"grpc", silent.Addr().String(), "timeout: health rpc did not complete within 1s", []string{"--timeout=1"}},
		{"http", closed, `port "web" not found`, []string{"--port=web"}},
		{"tcp", closed, "invalid port number: 65536", []string{"--port=65536"}},
	} {
		if got := run(t, c.kind, c.address, c.options...); got.Code == succeeded || got.Output != c.want {
			t.Errorf("%s %v: %+v; want %q", c.kind, c.options, got, c.want)
		}
	}
}

func TestAnOpenPortIsEnoughForATCPProbe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if got := run(t, "tcp", listener.Addr().String()); got != (Result{}) {
		t.Errorf("got %+v", got)
	}
}

func TestThePodsOwnAddressIsDialed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := Run(t.Context(), target.Hostname(), []string{"http", "--host=", "--port=" + target.Port()}); got != (Result{}) {
		t.Errorf("got %+v", got)
	}
}

func TestArgumentsThatAreNone(t *testing.T) {
	for _, arguments := range [][]string{
		nil, {""}, {"ftp"}, {"http"}, {"http", "--port=80", "more"}, {"http", "--what=1", "--port=80"}, {"http", "--timeout=-1", "--port=80"},
		{"http", "--header=none", "--port=80"},
	} {
		if got := Run(context.Background(), "127.0.0.1", arguments); got.Code != malformed || got.Output == "" {
			t.Errorf("%v: %+v", arguments, got)
		}
	}
}

func TestAProbeEndsWithItsCall(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, kind := range []string{"hook", "grpc"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		arguments := append([]string{kind}, options(t, silent.Addr().String(), "--timeout=0")...)
		if got := Run(ctx, "", arguments); got.Code != failed {
			t.Errorf("%s: %+v", kind, got)
		}
		cancel()
	}
}

func TestServersKnowTheDistributionsKubernetes(t *testing.T) {
	versions, err := os.ReadFile("../../../../distribution/versions.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(versions), "\n[kubernetes]\nversion = \"v"+kubernetes+".") {
		t.Errorf("the distribution's Kubernetes is not %s", kubernetes)
	}
}
