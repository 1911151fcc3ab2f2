# SPDX-License-Identifier: Apache-2.0
"""Alembic's scripts, a folder for each branch."""
