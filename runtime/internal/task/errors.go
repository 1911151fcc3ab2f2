// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// answered distinguishes a refusal by the guest from no response, after which its
// state is unknown. A timeout inside the guest is not a refusal either.
func answered(err error) bool {
	status, ok := grpcstatus.FromError(err)
	return ok && !slices.Contains([]codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Canceled}, status.Code())
}
