# SPDX-License-Identifier: Apache-2.0
"""The exec-credential helper of kubectl. It imports only the standard library, because it runs for each command.

``environment`` reads what to authenticate with, ``keystone`` issues and validates tokens, ``cache`` keeps them,
``helper`` decides which token to print.
"""
