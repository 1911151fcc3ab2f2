# SPDX-License-Identifier: Apache-2.0
"""Pods' ports: allocated while an agent waits, released by a reconciler, and collected when neither happened."""
