# SPDX-License-Identifier: Apache-2.0
"""Entry point of ``python -m hypernetes.standalone``."""

import sys

from hypernetes.standalone import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:]))
