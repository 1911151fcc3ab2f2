# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration of the release notes."""

project = "Hypernetes Release Notes"
copyright = "The Hypernetes developers"  # noqa: A001 - Sphinx wants this name
extensions = ["openstackdocstheme", "reno.sphinxext"]
html_theme = "openstackdocs"
openstackdocs_repo_name = "hypernetes"
openstackdocs_auto_name = False
