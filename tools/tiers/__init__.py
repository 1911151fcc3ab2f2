# SPDX-License-Identifier: Apache-2.0
"""The tiers of tests, one module each; ``tools/test`` is their front."""
