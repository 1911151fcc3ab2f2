# SPDX-License-Identifier: Apache-2.0
"""Scripts that only add; see the package above."""
