# SPDX-License-Identifier: Apache-2.0
"""The CSI driver: what turns persistent volume claims into Cinder volumes of the projects that own them.

One process per cluster, on a control node, beside Kubernetes' own sidecars, which watch the apiserver and call it over
a Unix socket. The protocol is compiled from ``csi.proto`` of the container storage interface's release when the process
starts, so no generated code is kept.
"""
