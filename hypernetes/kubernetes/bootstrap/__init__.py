# SPDX-License-Identifier: Apache-2.0
"""How an apiserver comes to be: the table of bootstrap phases, and the files a control node needs. No I/O."""
