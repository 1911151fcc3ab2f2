# SPDX-License-Identifier: Apache-2.0
"""The terms of the domain, and how the rest of the tree uses them."""
