# SPDX-License-Identifier: Apache-2.0
"""The socket on which the node's CNI plugin calls the agent, and who is served when."""
