# SPDX-License-Identifier: Apache-2.0
"""Configuration options of all executables, one module per option group.

A module of a group defines ``GROUP`` (an ``oslo_config.cfg.OptGroup``, or None for ``[DEFAULT]``) and ``OPTIONS``,
and ``LISTED`` if the sample configuration shows further options.
``opts`` finds and registers the groups, ``service_user`` makes the options of a service user by keystoneauth's loaders,
and ``timeouts`` holds the time limits of a pod's network, which must stay in order.
"""
