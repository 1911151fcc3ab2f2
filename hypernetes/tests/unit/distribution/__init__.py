# SPDX-License-Identifier: Apache-2.0
"""Tests of the distribution's builder: no compiler, no network, no container engine."""
