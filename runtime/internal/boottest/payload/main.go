// SPDX-License-Identifier: Apache-2.0

// Payload is the only program in the boot test's container image.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"unsafe"
)

func main() {
	if err := act(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func act(verb string, arguments []string) error {
	switch verb {
	case "copy": // standard input to output, then a word on standard error
		_, err := io.Copy(os.Stdout, os.Stdin)
		fmt.Fprint(os.Stderr, "end")
		return err
	case "exit":
		code, err := strconv.Atoi(arguments[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "print": // a file
		text, err := os.ReadFile(arguments[0])
		fmt.Print(string(text))
		return err
	case "write":
		return os.WriteFile(arguments[0], []byte(arguments[1]), 0o644)
	case "hold": // until SIGTERM
		ask := make(chan os.Signal, 1)
		signal.Notify(ask, syscall.SIGTERM)
		fmt.Println("holding")
		<-ask
		os.Exit(7)
	case "who":
		name, err := os.Hostname()
		fmt.Println(name, os.Getpid(), os.Getuid())
		return err
	case "eat": // memory, until killed
		var kept [][]byte
		for range 1024 {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			kept = append(kept, block)
		}
		fmt.Println(len(kept))
	case "terminal": // says its size for each line it reads
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			var size [4]uint16
			_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
			if failed != 0 {
				return failed
			}
			fmt.Printf("%s %dx%d\n", lines.Text(), size[1], size[0])
		}
	case "serve": // echo, over TCP
		return serve(arguments[0])
	default:
		return fmt.Errorf("what is %q?", verb)
	}
	return nil
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		if _, err := io.Copy(conn, conn); err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
}
