# SPDX-License-Identifier: Apache-2.0
"""The REST contract, on a real database."""
