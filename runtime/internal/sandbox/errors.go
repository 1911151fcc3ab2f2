// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
)

// maxMessage bounds what the guest may put into the host's logs and events.
const maxMessage = 512

// GuestError converts the error that a guest returned. Its kind is one of a few; its
// text is under the tenant's control, so it is bounded and made printable.
func GuestError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ttrpc.ErrClosed) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("the pod's machine is gone: %w", errdefs.ErrUnavailable)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the guest did not respond: %w", errdefs.ErrUnavailable)
	}
	var kind error = errdefs.ErrUnknown
	native := errgrpc.ToNative(err)
	for _, known := range []error{errdefs.ErrNotFound, errdefs.ErrInvalidArgument, errdefs.ErrAlreadyExists,
		errdefs.ErrFailedPrecondition, errdefs.ErrResourceExhausted, errdefs.ErrNotImplemented, errdefs.ErrUnavailable} {
		if errors.Is(native, known) {
			kind = known
			break
		}
	}
	return fmt.Errorf("%s: %w", printable(native.Error()), kind)
}

func printable(words string) string {
	cut := words[:min(len(words), maxMessage)]
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, cut)
}
