// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// answered tells a refusal by the guest from silence, after which nobody knows
// what it did. The guest's own running out of time is no refusal either.
func answered(err error) bool {
	status, ok := grpcstatus.FromError(err)
	return ok && !slices.Contains([]codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Canceled}, status.Code())
}
