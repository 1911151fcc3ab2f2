# SPDX-License-Identifier: Apache-2.0
"""The operator's panel Nodes: state and heartbeat, and enrollment."""
