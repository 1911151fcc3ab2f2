# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration of the documentation."""

project = "Hypernetes"
copyright = "The Hypernetes developers"  # noqa: A001 - Sphinx wants this name
extensions = ["cliff.sphinxext", "openstackdocstheme", "oslo_config.sphinxext", "oslo_policy.sphinxext"]
html_theme = "openstackdocs"
openstackdocs_repo_name = "hypernetes"
openstackdocs_auto_name = False
exclude_patterns: list[str] = []
