# SPDX-License-Identifier: Apache-2.0
"""The handlers, one module per resource. By the time one is called, schema and policy have been satisfied."""
