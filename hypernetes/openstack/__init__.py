# SPDX-License-Identifier: Apache-2.0
"""The only package that talks to OpenStack.

``cloud`` is what the conductor sees of it; ``session`` holds the service user's connections, ``failures`` turns the
SDK's errors into those of :mod:`hypernetes.model.errors`. Every call has a timeout.
"""
