// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A template's guest says readyLine and waits. Each machine that continues from
// there is sent a fork line with entropy of its own, and goes on with its hello.
const (
	readyLine  = "hypernetes-ready\n" // no longer than a hello, from which it differs
	forkPrefix = "fork "
	// EntropySize is the number of random bytes that a clone is given: what the kernel's
	// generator holds.
	EntropySize = 32
)

// TemplateMAC is the address of a template's network card, a locally administered one.
// No pod has it; a clone's card keeps it until the guest is configured.
const TemplateMAC = "02:68:79:70:65:72"

// WriteReady reports a guest that waits to be saved.
func WriteReady(w io.Writer) error {
	if _, err := io.WriteString(w, readyLine); err != nil {
		return fmt.Errorf("report a template: %w", err)
	}
	return nil
}

// ReadReady waits for a guest that is ready to be saved.
func ReadReady(r io.Reader) error {
	line := make([]byte, len(readyLine))
	if _, err := io.ReadFull(r, line); err != nil {
		return fmt.Errorf("wait for a template: %w", err)
	}
	if string(line) != readyLine {
		return fmt.Errorf("%w: a template says %q", ErrMalformed, line)
	}
	return nil
}

// WriteFork gives a clone its entropy, in one write.
func WriteFork(w io.Writer, entropy []byte) error {
	if len(entropy) != EntropySize {
		return fmt.Errorf("%d bytes of entropy for a clone", len(entropy))
	}
	if _, err := fmt.Fprintf(w, "%s%x\n", forkPrefix, entropy); err != nil {
		return fmt.Errorf("fork a clone: %w", err)
	}
	return nil
}

// ReadFork waits for the fork line and reads nothing beyond it.
func ReadFork(r io.Reader) ([]byte, error) {
	line := make([]byte, len(forkPrefix)+2*EntropySize+1)
	if _, err := io.ReadFull(r, line); err != nil {
		return nil, fmt.Errorf("wait to be forked: %w", err)
	}
	digits, found := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), forkPrefix)
	entropy, err := hex.DecodeString(digits)
	if !found || err != nil || len(entropy) != EntropySize {
		return nil, errors.Join(ErrMalformed, errors.New("fork line"))
	}
	return entropy, nil
}
