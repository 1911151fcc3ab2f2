// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"encoding/json"
	"net/http/httptest"
	"testing"
)

func testEndpoints(t *testing.T) (Endpoint, Endpoint) {
	t.Helper()
	from, err := endpoint("02:00:00:00:00:01", "10.0.0.5", 9)
	if err != nil {
		t.Fatal(err)
	}
	to, err := endpoint("02:00:00:00:00:02", "10.0.0.6", 9)
	if err != nil {
		t.Fatal(err)
	}
	return from, to
}

func TestDatagramFrameHasAValidHeader(t *testing.T) {
	from, to := testEndpoints(t)
	frame := datagramFrame(from, to, []byte("token"))
	if got, want := len(frame), 14+20+8+5; got != want {
		t.Fatalf("the frame has %d bytes, not %d", got, want)
	}
	// A header with its checksum sums up to zero (RFC 1071).
	if sum := checksum(frame[14:34]); sum != 0 {
		t.Errorf("the header's checksum is off by %#x", sum)
	}
	if length := binary.BigEndian.Uint16(frame[16:]); length != 33 {
		t.Errorf("the header says %d bytes", length)
	}
	if string(frame[6:12]) != string(from.Hardware) || string(frame[:6]) != string(to.Hardware) {
		t.Error("the hardware addresses are not where they belong")
	}
}

func TestAnnouncementNamesTheSourceTwice(t *testing.T) {
	from, to := testEndpoints(t)
	frame := announcementFrame(from, to, nil)
	if len(frame) != 42 {
		t.Fatalf("the frame has %d bytes", len(frame))
	}
	if string(frame[28:32]) != string(frame[38:42]) {
		t.Error("a gratuitous reply has the same address as sender and target")
	}
}

func TestOnlyEthernetAndIPv4AreTaken(t *testing.T) {
	for _, wrong := range [][2]string{
		{"02:00:00:00:00:01", "fe80::1"},
		{"02:00:00:00:00:00:00:01", "10.0.0.1"},
		{"nonsense", "10.0.0.1"},
		{"02:00:00:00:00:01", ""},
	} {
		if _, err := endpoint(wrong[0], wrong[1], 9); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}

func TestTheServerTellsKernelAndBoot(t *testing.T) {
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	var reported Identity
	if err := json.Unmarshal(answer.Body.Bytes(), &reported); err != nil {
		t.Fatal(err)
	}
	if reported.Kernel == "" || reported.BootID == "" || reported.Hostname == "" {
		t.Errorf("something is missing: %+v", reported)
	}
}
