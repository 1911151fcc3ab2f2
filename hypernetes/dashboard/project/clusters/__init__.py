# SPDX-License-Identifier: Apache-2.0
"""The panel Clusters: where the project may have namespaces, and a kubeconfig for each."""
