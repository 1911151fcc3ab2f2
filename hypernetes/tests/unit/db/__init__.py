# SPDX-License-Identifier: Apache-2.0
"""The repositories, and builders that other tests use too."""
