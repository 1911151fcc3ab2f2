# SPDX-License-Identifier: Apache-2.0
"""Builds components into a distribution tree, cached by content.

A component is a module here with a constant ``COMPONENT``; ``catalog`` lists them.
``component`` says what one is, ``context`` what a build may use, ``cache`` how results
are kept, ``engine`` in which order things run.
"""
