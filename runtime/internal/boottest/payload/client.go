// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

const patience = 10 * time.Second

// ask sends one line from a port of its own (0: any), and prints the answer or what failed.
func ask(network, address, port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: patience}
	if network == "udp" {
		dialer.LocalAddr = &net.UDPAddr{Port: number}
	}
	conn, err := dialer.Dial(network, address)
	if err == nil {
		defer conn.Close()
		err = exchange(conn, "hello")
	}
	if err != nil {
		fmt.Println(err)
	}
	return err
}

func talk(network, address string) error {
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := exchange(conn, lines.Text()); err != nil {
			return err
		}
	}
	return nil
}

func exchange(conn net.Conn, line string) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return err
	}
	answer := make([]byte, 1024)
	n, err := conn.Read(answer)
	fmt.Print(string(answer[:n]))
	return err
}
