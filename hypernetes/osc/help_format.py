# SPDX-License-Identifier: Apache-2.0
"""Keeps the lines of a command's description, so that the examples in ``--help`` can be copied."""

import argparse

from osc_lib.command import command


class Preformatted(command.Command):
    """Mixin: the class's docstring is the command's description, line by line."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser, with a formatter that does not reflow."""
        parser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        return parser
