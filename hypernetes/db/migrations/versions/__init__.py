# SPDX-License-Identifier: Apache-2.0
"""Alembic's scripts, a directory for each branch."""
