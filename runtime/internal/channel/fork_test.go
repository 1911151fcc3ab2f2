// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestACloneGetsItsEntropyAndNothingBeyond(t *testing.T) {
	entropy := bytes.Repeat([]byte{7, 200}, EntropySize/2)
	var wire bytes.Buffer
	if err := WriteFork(&wire, entropy); err != nil {
		t.Fatal(err)
	}
	wire.WriteString("rest")
	got, err := ReadFork(&wire)
	if err != nil || !bytes.Equal(got, entropy) || wire.String() != "rest" {
		t.Errorf("got %x, %v, then %q", got, err, wire.String())
	}
	if err := WriteFork(&wire, entropy[1:]); err == nil {
		t.Error("too little entropy was sent")
	}
	for _, line := range []string{
		"", "fork \n", "fork " + strings.Repeat("x", 2*EntropySize) + "\n", "work " + strings.Repeat("00", EntropySize) + "\n",
		"fork " + strings.Repeat("00", EntropySize) + "0",
	} {
		if _, err := ReadFork(strings.NewReader(line)); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}

func TestATemplateReportsItself(t *testing.T) {
	var wire bytes.Buffer
	if err := WriteReady(&wire); err != nil {
		t.Fatal(err)
	}
	wire.WriteString("x")
	if err := ReadReady(&wire); err != nil || wire.String() != "x" {
		t.Errorf("%v, then %q", err, wire.String())
	}
	if err := ReadReady(strings.NewReader("hypernetes-guest 1\n")); !errors.Is(err, ErrMalformed) {
		t.Errorf("a booted guest's hello: %v", err)
	}
}
