# SPDX-License-Identifier: Apache-2.0
"""Sphinx: the reference of the REST API."""

project = "Hypernetes API reference"
extensions = ["openstackdocstheme"]
html_theme = "openstackdocs"
html_theme_options = {"sidebar_mode": "toc"}
openstackdocs_repo_name = "openstack/hypernetes"
openstackdocs_auto_name = False
