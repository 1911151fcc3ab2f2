# SPDX-License-Identifier: Apache-2.0
"""Builders, fixtures and fakes that several tiers of tests share."""
