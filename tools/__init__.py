# SPDX-License-Identifier: Apache-2.0
"""What developers run from a checkout; nothing of it is installed."""
