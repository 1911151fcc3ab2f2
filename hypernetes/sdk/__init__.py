# SPDX-License-Identifier: Apache-2.0
"""The service for openstacksdk: resources and a proxy. Imports no server code."""
