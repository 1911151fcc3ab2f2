# SPDX-License-Identifier: Apache-2.0
"""The domain: frozen records, states and names.

This package imports nothing of Hypernetes and does no I/O; all other packages use its terms.
"""
