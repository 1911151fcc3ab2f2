// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// shutdownTime is less than the shortest grace period a pod usually has.
const shutdownTime = 2 * time.Second

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "ok")
	})
	mux.HandleFunc("GET /", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(answer).Encode(identify()); err != nil {
			fmt.Fprintln(os.Stderr, "demo serve: answering:", err)
		}
	})
	return mux
}

func serve(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen := flags.String("listen", ":8080", "address to listen on")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	server := &http.Server{
		Addr:              *listen,
		Handler:           handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return server.Shutdown(grace)
}

func get(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("get", flag.ExitOnError)
	timeout := flags.Duration("timeout", 5*time.Second, "for the whole request")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("give one URL")
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, flags.Arg(0), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return errors.New(answer.Status)
	}
	return nil
}

func echo(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("echo", flag.ExitOnError)
	listen := flags.String("listen", ":7", "address to listen on, for TCP and UDP")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	streams, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	datagrams, err := net.ListenPacket("udp", *listen)
	if err != nil {
		streams.Close()
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- echoStreams(streams) }()
	go func() { ended <- echoDatagrams(datagrams) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	streams.Close()
	datagrams.Close()
	return err
}

func echoStreams(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			// The copy ends when the peer disconnects; there is nothing to report to.
			_, _ = io.Copy(connection, connection)
		}()
	}
}

func echoDatagrams(socket net.PacketConn) error {
	buffer := make([]byte, 65535)
	for {
		size, peer, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := socket.WriteTo(buffer[:size], peer); err != nil {
			fmt.Fprintln(os.Stderr, "demo echo: answering:", err)
		}
	}
}
