// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody is how much of an answer is read (pkg/probe/http).
const maxBody = 10 << 10

// probeHTTP succeeds for the statuses from 200 to 399.
func probeHTTP(ctx context.Context, c *check) error {
	answer, err := get(ctx, c, "probe", c.scheme)
	if err != nil {
		return err
	}
	if answer < http.StatusOK || answer >= http.StatusBadRequest {
		return fmt.Errorf("HTTP probe failed with statuscode: %d", answer)
	}
	return nil
}

// runHook succeeds for every answer, and for an answer without TLS to a hook with it
// (pkg/kubelet/lifecycle/handlers.go).
func runHook(ctx context.Context, c *check) error {
	_, err := get(ctx, c, "lifecycle", c.scheme)
	var failure *url.Error
	if errors.As(err, &failure) && strings.Contains(failure.Err.Error(), "server gave HTTP response to HTTPS client") {
		c.headers.Del("Authorization")
		_, err = get(ctx, c, "lifecycle", "http")
	}
	return err
}

// get requests a page and returns the status of the answer.
func get(ctx context.Context, c *check, purpose, scheme string) (int, error) {
	request, err := newRequest(ctx, c, purpose, scheme)
	if err != nil {
		return 0, err
	}
	client := &http.Client{
		Timeout: c.timeout,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // as the kubelet: the pod's certificate names its Service
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
			DisableKeepAlives:   true,
			DisableCompression:  true,
			DialContext:         dialer(0).DialContext,
		},
		CheckRedirect: followLocal,
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody)); err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}

func newRequest(ctx context.Context, c *check, purpose, scheme string) (*http.Request, error) {
	target, err := url.Parse(c.path)
	if err != nil {
		target = &url.URL{Path: c.path} // the server may understand it
	}
	target.Scheme, target.Host = strings.ToLower(scheme), c.address()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header = c.headers.Clone()
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header.Set("User-Agent", "kube-"+purpose+"/"+kubernetes)
	}
	if _, ok := request.Header["Accept"]; !ok {
		request.Header.Set("Accept", "*/*")
	} else if request.Header.Get("Accept") == "" {
		request.Header.Del("Accept")
	}
	request.Host = request.Header.Get("Host")
	return request, nil
}

// followLocal follows redirects within a host; one to another host is the answer.
func followLocal(request *http.Request, via []*http.Request) error {
	if request.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}
