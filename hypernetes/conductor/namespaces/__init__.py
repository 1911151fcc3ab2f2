# SPDX-License-Identifier: Apache-2.0
"""Tenants' namespaces: a module for each thing that one has, with its step up and its step down."""
