# SPDX-License-Identifier: Apache-2.0
"""What is reconciled when: keys in a queue, leases that keep conductors apart, workers, and timers that fill the queue.

Knows nothing of clusters, namespaces or ports.
"""
