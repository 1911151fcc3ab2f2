# SPDX-License-Identifier: Apache-2.0
"""Repositories and migrations on a real MariaDB."""
