# SPDX-License-Identifier: Apache-2.0
"""Entry points of the executables. Each reads its configuration, sets up logging, and starts what it is named after."""
