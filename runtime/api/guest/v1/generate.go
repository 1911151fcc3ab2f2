// SPDX-License-Identifier: Apache-2.0

// Package guestv1 is the contract between the shim and hyper-guest, generated
// from guest.proto. protoc comes from the PyPI package grpcio-tools; the two
// plugins are tools of this module.
package guestv1

//go:generate sh -c "PATH=\"$(go env GOPATH)/bin:$PATH\" python3 -m grpc_tools.protoc -I . --go_out=. --go_opt=paths=source_relative --go-ttrpc_out=. --go-ttrpc_opt=paths=source_relative guest.proto"
