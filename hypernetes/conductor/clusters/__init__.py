# SPDX-License-Identifier: Apache-2.0
"""Clusters: the bootstrap phases, their results, and the clients of the apiservers."""
