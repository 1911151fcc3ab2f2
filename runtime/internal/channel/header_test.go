// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAHeaderIsReadAsItWasWritten(t *testing.T) {
	for name, header := range map[string]Header{
		"rpc":                  {Kind: KindRPC},
		"reserved dns":         {Kind: KindDNS},
		"first process's out":  {Kind: KindIO, Container: "c1", FD: 1},
		"exec's standard in":   {Kind: KindIO, Container: strings.Repeat("c", MaxID), Exec: "e.1-2_3"},
		"longest ids possible": {Kind: KindIO, Container: strings.Repeat("c", MaxID), Exec: strings.Repeat("e", MaxID), FD: 2},
		"first port":           {Kind: KindForward, Port: 1},
		"last port":            {Kind: KindForward, Port: 65535},
	} {
		t.Run(name, func(t *testing.T) {
			wire, err := header.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			rest := bytes.NewBuffer(append(wire, "next"...))
			got, err := ReadHeader(rest)
			if err != nil || got != header {
				t.Errorf("got %+v, %v", got, err)
			}
			if rest.String() != "next" {
				t.Errorf("read beyond the header, left %q", rest)
			}
		})
	}
}

func TestAMalformedHeaderIsRefused(t *testing.T) {
	for name, wire := range map[string]string{
		"unknown kind":         "\x09\x00\x00\x00",
		"kind 0":               "\x00\x00\x00\x00",
		"rpc with a process":   "\x01\x00\x01\x00c",
		"rpc with fd":          "\x01\x01\x00\x00",
		"io without container": "\x02\x01\x00\x00",
		"fd 3":                 "\x02\x03\x01\x00c",
		"forward to port 0":    "\x05\x00\x00\x00",
		"forward with fd":      "\x05\x01\x00\x50",
		"path in an id":        "\x02\x01\x03\x00../",
		"id too long":          "\x02\x01\xff\x00" + strings.Repeat("c", 255),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ReadHeader(strings.NewReader(wire)); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte("\x02\x01\x01\x01ce"))
	f.Add([]byte("\x01\x00\x00\x00"))
	f.Add([]byte("\x05\x00\x1f\x90"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		header, err := ReadHeader(bytes.NewReader(wire))
		if err != nil {
			return
		}
		again, err := header.MarshalBinary()
		if err != nil || !bytes.HasPrefix(wire, again) {
			t.Errorf("%+v was read from %q but is written as %q (%v)", header, wire, again, err)
		}
	})
}
