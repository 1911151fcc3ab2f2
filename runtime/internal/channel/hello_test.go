// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestAHelloIsReadAsItWasWritten(t *testing.T) {
	var wire bytes.Buffer
	if err := WriteHello(&wire); err != nil {
		t.Fatal(err)
	}
	wire.WriteString("yamux")
	hello, err := ReadHello(&wire)
	if err != nil || hello.Version != Version {
		t.Errorf("got %+v, %v", hello, err)
	}
	if wire.String() != "yamux" {
		t.Errorf("left %q", wire.String())
	}
}

func TestAMalformedHelloIsRefused(t *testing.T) {
	for name, wire := range map[string]string{
		"empty":        "\n",
		"no version":   "hypernetes-guest \n",
		"other word":   "hypernetes-host 1\n",
		"huge version": "hypernetes-guest 256\n",
		"negative":     "hypernetes-guest -1\n",
		"endless":      strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ReadHello(strings.NewReader(wire)); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestAGuestThatGoesBeforeItsHelloIsAnError(t *testing.T) {
	if _, err := ReadHello(strings.NewReader("hyper")); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func FuzzReadHello(f *testing.F) {
	f.Add([]byte("hypernetes-guest 1\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		reader := bytes.NewReader(wire)
		hello, err := ReadHello(reader)
		if read := len(wire) - reader.Len(); read > maxHello {
			t.Errorf("read %d bytes", read)
		}
		if err == nil && (hello.Version < 0 || hello.Version > 255) {
			t.Errorf("version %d", hello.Version)
		}
	})
}
