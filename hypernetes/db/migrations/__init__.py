# SPDX-License-Identifier: Apache-2.0
"""Alembic's scripts, in two branches.

``expand`` holds what only adds (tables, nullable columns, indexes) and may run while the old release serves;
``contract`` holds what takes away, and runs when the last process of the old release has stopped. A script of
``contract`` names the script of ``expand`` it depends on; a test refuses scripts of ``expand`` that drop anything.
"""
