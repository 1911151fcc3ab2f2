// SPDX-License-Identifier: Apache-2.0

package container

import (
	"errors"
	"fmt"
)

// Errors a caller distinguishes.
var (
	ErrNotFound = errors.New("no such container or process")
	ErrExists   = errors.New("the container or process already exists")
	ErrInvalid  = errors.New("invalid")
	ErrState    = errors.New("not possible in this state")
	ErrRuntime  = errors.New("crun failed")
)

func errState(why string) error { return fmt.Errorf("%w: %s", ErrState, why) }
