# SPDX-License-Identifier: Apache-2.0
"""The API as a whole, with nothing outside of it."""
