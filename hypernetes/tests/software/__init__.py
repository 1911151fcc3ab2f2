# SPDX-License-Identifier: Apache-2.0
"""The software tier: servers, compilers, test suites of Debian's packages, run unchanged in a tenant's pods."""
