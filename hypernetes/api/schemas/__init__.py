# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of every body, query and answer, one module per resource. Unknown fields are refused."""
