# SPDX-License-Identifier: Apache-2.0
"""Options of all executables, one module per group.

Each module defines ``GROUP`` (an ``oslo_config.cfg.OptGroup``, or None for ``[DEFAULT]``) and ``OPTIONS``.
"""
