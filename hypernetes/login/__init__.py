# SPDX-License-Identifier: Apache-2.0
"""The exec-credential helper of kubectl. Imports nothing but the standard library, since it runs for each command."""
