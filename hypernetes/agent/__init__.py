# SPDX-License-Identifier: Apache-2.0
"""The node's agent: it enrolls, reports, carries out bootstrap phases and connects pods to their ports.

It holds its own message-bus user and token and nothing else: no OpenStack, database or cluster-admin credential.
An order is intent: each step may be repeated, and the process may be killed after any line.
"""
