# SPDX-License-Identifier: Apache-2.0
"""The domain: frozen records, states and names.

This package imports nothing of ours and does no I/O. Everything else speaks in its terms.
"""
