// SPDX-License-Identifier: Apache-2.0

// Package integration tests the shim under a real containerd, driven over CRI
// as the kubelet would, with the real guest.
//
//	distribution/build --output DIST containerd guest image-busybox
//	HYPERNETES_DIST=DIST go test -tags containerd ./internal/integration
//
// It needs root. Everything happens in namespaces of its own (mount, network,
// process), so that production paths can be used and nothing is left behind.
package integration
