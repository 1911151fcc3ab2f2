# SPDX-License-Identifier: Apache-2.0
"""The only package that talks to an apiserver, and the pure builders of everything that is sent to one.

``client`` carries typed objects to an apiserver and back. ``bootstrap`` describes a control node: the phases and the
files of each. ``objects`` and ``admission`` build what a cluster and its namespaces hold, without I/O.
"""
