# SPDX-License-Identifier: Apache-2.0
"""Nodes: their credentials on the message bus, their heartbeats, and whether new pods may start there."""
