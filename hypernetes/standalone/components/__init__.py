# SPDX-License-Identifier: Apache-2.0
"""One module per component of the standalone environment; ``hypernetes.standalone.table`` puts them in order."""
