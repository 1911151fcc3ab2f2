// SPDX-License-Identifier: Apache-2.0

// Package channel is the one connection between the shim and the guest: an
// ordered byte stream that starts with the guest's hello line and then carries
// yamux streams, each opened with a small typed header.
//
//	hello   = "hypernetes-guest 4\n"
//	header  = kind fd len(container) len(exec) container exec   (bytes)
//	        | kind 0 port(2, big-endian)                        (of a forward)
//	answer  = one status byte
//
// The host opens streams and the guest answers them. What the guest may open
// towards the host in the future (dns, api) is refused.
package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"hypernetes.org/runtime/internal/ident"
)

// Kind is what a stream carries.
type Kind uint8

// Kinds of streams. The values are the wire format.
const (
	KindRPC Kind = 1 // ttrpc, service Guest; once per session
	KindIO  Kind = 2 // one direction of one process's standard streams
	KindDNS Kind = 3 // guest to host: reserved
	KindAPI Kind = 4 // guest to host: reserved
	// KindForward is a TCP connection to a port of the pod's own localhost. Its answer
	// comes once the guest is connected, or is not.
	KindForward Kind = 5
)

// Status is the answer to a header.
type Status uint8

// Statuses. The values are the wire format.
const (
	StatusAccepted Status = 0
	StatusRefused  Status = 1 // kind not served
	StatusNotFound Status = 2 // no such process or the process has no such stream
	StatusBusy     Status = 3 // the stream is already attached, or too many are open
	StatusUnheard  Status = 4 // nothing in the pod accepts connections at the port
)

// MaxID is the longest container or exec id in bytes.
const MaxID = ident.MaxLength

// ErrMalformed is returned for bytes that are not a header or hello.
var ErrMalformed = errors.New("malformed channel message")

// Header opens a stream. Container, Exec and FD belong to KindIO; Exec is empty
// for a container's first process; FD is 0, 1 or 2. Port belongs to KindForward.
type Header struct {
	Kind      Kind
	FD        uint8
	Container string
	Exec      string
	Port      uint16
}

func (h Header) validate() error {
	switch h.Kind {
	case KindIO:
		if !ident.Valid(h.Container) || (h.Exec != "" && !ident.Valid(h.Exec)) || h.FD > 2 || h.Port != 0 {
			return fmt.Errorf("%w: io header of fd %d", ErrMalformed, h.FD)
		}
	case KindForward:
		if h.Container != "" || h.Exec != "" || h.FD != 0 || h.Port == 0 {
			return fmt.Errorf("%w: forward to port %d", ErrMalformed, h.Port)
		}
	case KindRPC, KindDNS, KindAPI:
		if h.Container != "" || h.Exec != "" || h.FD != 0 || h.Port != 0 {
			return fmt.Errorf("%w: kind %d takes no process", ErrMalformed, h.Kind)
		}
	default:
		return fmt.Errorf("%w: kind %d", ErrMalformed, h.Kind)
	}
	return nil
}

// MarshalBinary gives the wire form of a valid header.
func (h Header) MarshalBinary() ([]byte, error) {
	if err := h.validate(); err != nil {
		return nil, err
	}
	if h.Kind == KindForward {
		return binary.BigEndian.AppendUint16([]byte{byte(h.Kind), 0}, h.Port), nil
	}
	wire := []byte{byte(h.Kind), h.FD, byte(len(h.Container)), byte(len(h.Exec))}
	wire = append(wire, h.Container...)
	return append(wire, h.Exec...), nil
}

// ReadHeader reads one header and nothing beyond it: at most 4 + 2*MaxID bytes.
func ReadHeader(r io.Reader) (Header, error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return Header{}, fmt.Errorf("read a stream header: %w", err)
	}
	if kind := Kind(fixed[0]); kind == KindForward {
		header := Header{Kind: kind, FD: fixed[1], Port: binary.BigEndian.Uint16(fixed[2:])}
		return header, header.validate()
	}
	container, exec := int(fixed[2]), int(fixed[3])
	if container > MaxID || exec > MaxID {
		return Header{}, fmt.Errorf("%w: id too long", ErrMalformed)
	}
	ids := make([]byte, container+exec)
	if _, err := io.ReadFull(r, ids); err != nil {
		return Header{}, fmt.Errorf("read a stream header: %w", err)
	}
	header := Header{
		Kind:      Kind(fixed[0]),
		FD:        fixed[1],
		Container: string(ids[:container]),
		Exec:      string(ids[container:]),
	}
	return header, header.validate()
}
