# SPDX-License-Identifier: Apache-2.0
"""Pods' ports on a node: records of sandboxes, plug drivers, and what clears up after both."""
