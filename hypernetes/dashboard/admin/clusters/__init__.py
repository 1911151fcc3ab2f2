# SPDX-License-Identifier: Apache-2.0
"""The operator's panel Clusters: health, the bootstrap's phase, and its resumption."""
