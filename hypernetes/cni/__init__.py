# SPDX-License-Identifier: Apache-2.0
"""The CNI executable. It imports the standard library only, since it is started for every pod."""
