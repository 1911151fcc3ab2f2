# SPDX-License-Identifier: Apache-2.0
"""The distribution: Kubernetes, containerd, runc, guest and images, built from pinned sources.

``distribution/build`` is the command. Everything here is standard library only, so that a
bare machine can run it before anything of Hypernetes is installed.
"""
