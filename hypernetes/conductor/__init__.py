# SPDX-License-Identifier: Apache-2.0
"""Brings the world to the intent in the database; can be killed at any instant and run many times over.

``engine`` decides what is worked on when, and under which lease. Each aggregate has a package of its own
(``clusters``, ``nodes``, ``namespaces``, ``ports``) with a reconciler: a table of steps. Reconcilers do not import
each other; they wake each other's keys. ``rpc`` answers the API and the agents, ``service`` puts a conductor together.
"""
