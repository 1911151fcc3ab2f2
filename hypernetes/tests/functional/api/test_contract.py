# SPDX-License-Identifier: Apache-2.0
"""Loads the requests and answers in gabbits/; each is a test."""

import unittest
from pathlib import Path
from typing import Any

from gabbi import driver

from hypernetes.tests.functional.api import contract


def load_tests(loader: unittest.TestLoader, _tests: unittest.TestSuite, _pattern: str | None) -> Any:
    """What unittest and stestr ask a module for."""
    return driver.build_tests(
        str(Path(__file__).parent / "gabbits"),
        loader,
        host=None,
        intercept=contract.wsgi,
        fixture_module=contract,
        test_loader_name=__name__,
    )
