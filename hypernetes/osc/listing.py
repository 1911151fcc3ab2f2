# SPDX-License-Identifier: Apache-2.0
"""What the list commands share: ``--long``, ``--limit`` and ``--marker``."""

import argparse
from typing import Any

from osc_lib.cli import pagination


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--long", action="store_true", help="List additional fields in output.")
    pagination.add_marker_pagination_option_to_parser(parser)


def query(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """Return the query of the SDK's list method that the options stand for."""
    asked = {"max_items": parsed_args.limit, "marker": parsed_args.marker}
    return {name: value for name, value in asked.items() if value}
