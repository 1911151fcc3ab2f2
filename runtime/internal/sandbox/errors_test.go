// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"strings"
	"testing"
	"unicode"

	"github.com/containerd/errdefs"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

func TestGuestErrorsKeepTheirKind(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind func(error) bool
	}{
		{grpcstatus.Error(codes.NotFound, "x"), errdefs.IsNotFound},
		{grpcstatus.Error(codes.AlreadyExists, "x"), errdefs.IsAlreadyExists},
		{grpcstatus.Error(codes.FailedPrecondition, "x"), errdefs.IsFailedPrecondition},
		{grpcstatus.Error(codes.PermissionDenied, "x"), errdefs.IsUnknown},
		{ttrpc.ErrClosed, errdefs.IsUnavailable},
		{context.DeadlineExceeded, errdefs.IsUnavailable},
		{context.Canceled, errdefs.IsUnavailable},
	} {
		if got := GuestError(c.err); !c.kind(got) {
			t.Errorf("%v became %v", c.err, got)
		}
	}
	if GuestError(nil) != nil {
		t.Error("nil became an error")
	}
}

// FuzzGuestError: what a guest says ends in logs, events and statuses.
func FuzzGuestError(f *testing.F) {
	f.Add(uint32(5), "no such container\n\x1b[2J")
	f.Add(uint32(99), strings.Repeat("x", 10000))
	f.Fuzz(func(t *testing.T, code uint32, words string) {
		err := GuestError(grpcstatus.Error(codes.Code(code), words))
		if err == nil {
			if codes.Code(code) != codes.OK {
				t.Fatal("an error was lost")
			}
			return
		}
		if text := err.Error(); len(text) > maxMessage*4+64 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q", text)
		}
	})
}

// refusing is a guest that refuses volumes.
type refusing struct {
	guestv1.GuestService
	err error
}

func (r refusing) CreateVolume(context.Context, *guestv1.CreateVolumeRequest) (*guestv1.Empty, error) {
	return nil, r.err
}

// A guest's text must not fill the host's logs through a volume either.
func TestAVolumesErrorIsShortAndPrintable(t *testing.T) {
	guest := refusing{err: grpcstatus.Error(codes.NotFound, strings.Repeat("\x1b[2J", 1<<20))}
	booted := make(chan struct{})
	close(booted)
	live, kill := context.WithCancelCause(t.Context())
	defer kill(nil)
	s := &Sandbox{live: live, booted: booted, guest: guest, volumes: map[string]*volumeState{}}
	err := s.send(t.Context(), &guestv1.Volume{Create: &guestv1.CreateVolumeRequest{Id: "v"}})
	if !errdefs.IsNotFound(err) || len(err.Error()) > 2*maxMessage || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %d bytes: %.100q", len(err.Error()), err)
	}
}
