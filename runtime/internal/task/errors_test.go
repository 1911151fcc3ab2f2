// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"strings"
	"testing"
	"unicode"

	"github.com/containerd/errdefs"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
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
		if got := guestError(c.err); !c.kind(got) {
			t.Errorf("%v became %v", c.err, got)
		}
	}
	if guestError(nil) != nil {
		t.Error("nil became an error")
	}
}

// FuzzGuestError: what a guest says ends in logs, events and statuses.
func FuzzGuestError(f *testing.F) {
	f.Add(uint32(5), "no such container\n\x1b[2J")
	f.Add(uint32(99), strings.Repeat("x", 10000))
	f.Fuzz(func(t *testing.T, code uint32, words string) {
		err := guestError(grpcstatus.Error(codes.Code(code), words))
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
