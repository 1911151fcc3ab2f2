# SPDX-License-Identifier: Apache-2.0
"""Fail if a source file is longer than one can keep in mind: ``python -m tools.largest FILE…``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

MOST_LINES = 450
GENERATED = (".pb.go", "_ttrpc.go")


def too_long(files: Sequence[Path], most: int = MOST_LINES) -> list[str]:
    """Return a sentence for each file of more than ``most`` lines, the longest first; generated ones are left out."""
    written = [path for path in files if not path.name.endswith(GENERATED)]
    lengths = sorted(((len(path.read_text().splitlines()), str(path)) for path in written), reverse=True)
    return [f"{name}: {length} lines; at most {most} are allowed" for length, name in lengths if length > most]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the files that are too long; 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tools.largest", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    found = too_long(parser.parse_args(arguments).files)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
