# SPDX-License-Identifier: Apache-2.0
"""The panel Namespaces: create, look into and delete the project's namespaces."""
