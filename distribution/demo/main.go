// SPDX-License-Identifier: Apache-2.0

// Command demo is the program of the demo image. It reports where it runs, and
// tries what a tenant must not succeed with, so that tests can show that it fails.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: demo COMMAND [FLAG ...]

  serve   answer HTTP requests with what this machine says about itself
  show    print the same once
  get     fetch a URL and print the body
  echo    send back what arrives by TCP and UDP
  forge   send Ethernet frames, with addresses of one's choice
  count   count the frames with a token that arrive at an interface
  alloc   use memory and hold it

"demo COMMAND -h" explains the flags.`

var commands = map[string]func(context.Context, []string) error{
	"alloc": alloc,
	"count": count,
	"echo":  echo,
	"forge": forge,
	"get":   get,
	"serve": serve,
	"show":  show,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "demo %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
