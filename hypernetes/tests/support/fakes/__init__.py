# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for outside systems, each at the package that owns that system; for unit tests only."""
