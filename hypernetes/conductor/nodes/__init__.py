# SPDX-License-Identifier: Apache-2.0
"""Nodes: their credentials on the message bus, and their heartbeats."""
