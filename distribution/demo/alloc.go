// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"
)

// step is how much is allocated at a time, so that the last printed line shows the limit.
const step = 8 << 20

func alloc(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("alloc", flag.ExitOnError)
	mebibytes := flags.Int("mebibytes", 64, "how much memory to use")
	hold := flags.Duration("hold", time.Hour, "how long to keep it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	total := *mebibytes << 20
	for used := 0; used < total; used += step {
		size := min(step, total-used)
		memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return fmt.Errorf("after %d MiB: %w", used>>20, err)
		}
		// A page counts only once it is written; pages with equal content could be merged.
		for offset := 0; offset < size; offset += os.Getpagesize() {
			memory[offset] = byte(offset>>12) | 1
		}
		fmt.Printf("%d MiB\n", (used+size)>>20)
	}
	select {
	case <-ctx.Done():
	case <-time.After(*hold):
	}
	return nil
}
