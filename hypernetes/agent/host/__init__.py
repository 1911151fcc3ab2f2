# SPDX-License-Identifier: Apache-2.0
"""What the agent sets up on its node: directories, cgroups, containerd, kubelet, the CNI plugin and the runtime."""
