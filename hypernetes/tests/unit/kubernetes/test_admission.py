# SPDX-License-Identifier: Apache-2.0
"""The shape of the policies; what they refuse is tried on a real apiserver in the functional tests."""

from pathlib import Path
from typing import Any

import testtools

from hypernetes.kubernetes.admission import access
from hypernetes.kubernetes.admission import policy
from hypernetes.kubernetes.admission import probes
from hypernetes.kubernetes.admission import resources
from hypernetes.kubernetes.admission import rules
from hypernetes.kubernetes.admission import workloads
from hypernetes.model import names


def _all() -> list[Any]:
    return [*workloads.policies(), *resources.policies("10.96.0.0/12"), *access.policies()]


def _policies() -> list[Any]:
    return [item for item in _all() if not type(item).__name__.endswith("Binding")]


class PoliciesTest(testtools.TestCase):
    """Every policy."""

    def test_each_fails_closed(self) -> None:
        for item in _policies():
            self.assertEqual("Fail", item.spec.failurePolicy, item.metadata.name)

    def test_each_applies_to_every_namespace_but_the_system_ones(self) -> None:
        for item in _policies():
            (expression,) = item.spec.matchConstraints.namespaceSelector.matchExpressions
            self.assertEqual(
                ("kubernetes.io/metadata.name", "NotIn", sorted(names.SYSTEM_NAMESPACES)),
                (expression.key, expression.operator, expression.values),
                item.metadata.name,
            )

    def test_each_is_bound_and_denies(self) -> None:
        bound = {item.spec.policyName: item for item in _all() if type(item).__name__.endswith("Binding")}
        for item in _policies():
            binding = bound.pop(item.metadata.name)
            if type(item).__name__.startswith("Validating"):
                self.assertEqual(["Deny"], binding.spec.validationActions)
            # No parameters and no further selector that would leave a namespace out.
            self.assertIsNone(binding.spec.matchResources)
        self.assertEqual({}, bound)

    def test_each_refusal_names_its_rule(self) -> None:
        for item in _policies():
            if not type(item).__name__.startswith("Validating"):
                continue
            for validation in item.spec.validations:
                self.assertRegex(validation.message, r"^hypernetes/[a-z-]+: \S")
                self.assertNotIn("\n", validation.message)

    def test_every_kind_with_a_pod_template_is_covered(self) -> None:
        covered = {r for w in workloads.WORKLOADS for target in w.targets for r in target.resources}
        self.assertEqual(
            {
                "pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers", "daemonsets",
                "deployments", "replicasets", "statefulsets", "jobs", "cronjobs",
            },
            covered,
        )  # fmt: skip

    def test_pods_and_templates_share_their_rules(self) -> None:
        # A template's probes are turned in its pods.
        self.assertEqual(
            {rule.name for rule in rules.FOR_PODS}, {rule.name for rule in rules.FOR_TEMPLATES} | {"probes"}
        )

    def test_an_operator_may_allow_privileged_containers_and_nothing_else(self) -> None:
        def refusals(privileged: bool) -> dict[str, set[str]]:
            made: list[Any] = workloads.policies((), privileged)
            return {
                item.metadata.name: {validation.message.split(":")[0] for validation in item.spec.validations}
                for item in made
                if type(item).__name__ == "ValidatingAdmissionPolicy"
            }

        strict, allowing = refusals(False), refusals(True)
        self.assertEqual(len(workloads.WORKLOADS), len(strict))
        for name, rule_names in strict.items():
            self.assertEqual({"hypernetes/privileged"}, rule_names - allowing[name], name)
            self.assertEqual(set(), allowing[name] - rule_names, name)

    def test_pods_have_no_exemption_for_anybody(self) -> None:
        """A controller creates what a tenant's template says, so its pods are judged as well."""
        for item in _policies():
            if item.metadata.name == "hypernetes-pods":
                self.assertEqual(["spec-is-new"], [c.name for c in item.spec.matchConditions])

    def test_no_exempt_identity_can_be_a_tenant_s(self) -> None:
        for name in (*policy.EXEMPT_USERS, *policy.EXEMPT_GROUPS):
            self.assertFalse(name.startswith((names.USER_PREFIX, names.GROUP_PREFIX)), name)

    def test_the_reserved_path_is_the_shim_s(self) -> None:
        shim = (Path(__file__).parents[4] / "runtime/internal/task/probe.go").read_text()
        self.assertIn(f'const probePath = "{probes.RESERVED_PATH}"\n', shim)

    def test_a_list_of_words_becomes_cel(self) -> None:
        self.assertEqual('["a", "b"]', policy.cel_list(("a", "b")))
