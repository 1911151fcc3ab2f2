# SPDX-License-Identifier: Apache-2.0
"""The Services of the namespaces with pods on this node, from the apiserver to the files that the shims read."""
