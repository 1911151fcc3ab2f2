# SPDX-License-Identifier: Apache-2.0
"""Scripts that take away; see the package above."""
