// SPDX-License-Identifier: Apache-2.0

// Package thread runs functions that change what belongs to an operating system thread,
// such as its network namespace.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Own runs a function on a thread that nothing else uses and that ends with
// it. The process's first thread never ends, so that it is passed over.
func Own(work func()) {
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			work()
			return
		}
		defer runtime.UnlockOSThread()
		elsewhere := make(chan struct{})
		Own(func() {
			close(elsewhere)
			work()
		})
		<-elsewhere
	}()
}
