# SPDX-License-Identifier: Apache-2.0
"""Fails if a source file is longer than one can keep in mind."""

import subprocess
import sys
from pathlib import Path

MOST_LINES = 600
SUFFIXES = (".py", ".go", ".sh", ".yaml", ".rst")
GENERATED = (".pb.go", "_ttrpc.go")


def main() -> int:
    """Print the longest file; 1 if it is too long."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, timeout=60).stdout.split()
    files = [Path(f) for f in listed if f.endswith(SUFFIXES) and not f.endswith(GENERATED)]
    lengths = sorted((len(path.read_text().splitlines()), str(path)) for path in files if path.exists())
    print(f"longest: {lengths[-1][1]} with {lengths[-1][0]} lines")
    long = [entry for entry in lengths if entry[0] > MOST_LINES]
    for length, name in long:
        print(f"{name}: {length} lines, {MOST_LINES} are allowed")
    return int(bool(long))


if __name__ == "__main__":
    sys.exit(main())
