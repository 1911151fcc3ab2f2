# SPDX-License-Identifier: Apache-2.0
"""How the output of pre-commit, stestr and go test is counted."""

import json
import os
from pathlib import Path

import fixtures
import testtools

from tools.tiers import go_tests
from tools.tiers import lint
from tools.tiers import python_tests
from tools.tiers.count import Count
from tools.tiers.count import NONE


class LintTest(testtools.TestCase):
    def test_each_hook_that_ran_is_counted(self) -> None:
        for line, count in (
            ("mypy --strict............................................................Passed", Count(1, 0)),
            ("codespell................................................................Failed\n", Count(0, 1)),
            ("gofmt................................................(no files to check)Skipped", NONE),
            ("- exit code: 1", NONE),
            ("doc/source/index.rst:5: what Failed", NONE),
        ):
            self.assertEqual(count, lint.parse(line), line)


class StestrTest(testtools.TestCase):
    def test_an_unexpected_success_is_a_failure(self) -> None:
        summary = "Totals\n - Passed: 7\n - Skipped: 2\n - Expected Fail: 0\n - Unexpected Success: 1\n - Failed: 3\n"
        self.assertEqual(Count(7, 4), python_tests.parse(summary))

    def test_no_summary_is_no_test(self) -> None:
        self.assertEqual(NONE, python_tests.parse("Traceback (most recent call last):\n"))


class GoTest(testtools.TestCase):
    def test_tests_are_counted_and_packages_are_not(self) -> None:
        events = [
            {"Action": "pass", "Package": "p", "Test": "TestA"},
            {"Action": "fail", "Package": "p", "Test": "TestB"},
            {"Action": "output", "Package": "p", "Test": "TestB", "Output": "b_test.go:5: wrong\n"},
            {"Action": "fail", "Package": "p"},
        ]
        output = "\n".join(map(json.dumps, events)) + "\nnot JSON\n"
        self.assertEqual(Count(1, 1), go_tests.results(output))
        self.assertIn("b_test.go:5: wrong", go_tests.failures(output))

    def test_a_test_that_did_not_end_is_named_with_what_it_said(self) -> None:
        events = [
            {"Action": "run", "Package": "p", "Test": "TestA"},
            {"Action": "output", "Package": "p", "Test": "TestA", "Output": "a_test.go:5: waits\n"},
            {"Action": "run", "Package": "p", "Test": "TestB"},
            {"Action": "pass", "Package": "p", "Test": "TestB"},
        ]
        said = go_tests.failures("\n".join(map(json.dumps, events)) + '\n{"Action": "outp')
        self.assertIn("TestA of p did not end", said)
        self.assertIn("a_test.go:5: waits", said)
        self.assertNotIn("TestB", said)

    def test_a_suite_that_hangs_is_killed_with_its_children_and_keeps_its_output(self) -> None:
        status, output, errors = go_tests.execute(
            ["sh", "-c", "echo before; sleep 60 & sleep 60"], Path("/"), dict(os.environ), limit=0.5
        )
        self.assertEqual((1, "before\n"), (status, output))
        self.assertIn("sh did not end within 0.5 s", errors)

    def test_a_daemon_that_keeps_the_output_open_holds_nobody_up(self) -> None:
        self.useFixture(fixtures.MockPatchObject(go_tests, "GRACE_SECONDS", 0.5))
        status, output, _ = go_tests.execute(
            ["sh", "-c", "echo before; setsid sleep 20"], Path("/"), dict(os.environ), limit=0.5
        )
        self.assertEqual((1, "before\n"), (status, output))

    def test_names_are_refused(self) -> None:
        self.assertIn("-run TestA", str(self.assertRaises(ValueError, go_tests.run, ["TestA"])))
