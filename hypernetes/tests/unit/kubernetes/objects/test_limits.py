# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.kubernetes.objects.limits."""

import testtools
from lightkube.models import core_v1

from hypernetes.kubernetes.objects import limits


def container(limit: str | None = None, restart: str | None = None) -> core_v1.Container:
    resources = core_v1.ResourceRequirements(limits={"cpu": "1"} | ({"ephemeral-storage": limit} if limit else {}))
    return core_v1.Container(name="c", resources=resources, restartPolicy=restart)


class EphemeralStorageTest(testtools.TestCase):
    def check(self, expected: int, *containers: core_v1.Container, init: tuple[core_v1.Container, ...] = ()) -> None:
        spec = core_v1.PodSpec(containers=list(containers), initContainers=list(init))
        self.assertEqual(expected, limits.ephemeral_storage(core_v1.Pod(spec=spec)))

    def test_containers_are_summed(self) -> None:
        self.check((64 << 20) + 10**9, container("64Mi"), container("1G"))

    def test_one_without_a_limit_counts_with_the_namespaces_default(self) -> None:
        self.check(2 << 30, container(), core_v1.Container(name="without any resources"))

    def test_of_init_containers_the_largest_counts_if_it_is_larger_than_the_pod(self) -> None:
        self.check(5 << 30, container("1Gi"), init=(container("2Gi"), container("5Gi"), container("3Gi")))
        self.check(6 << 30, container("6Gi"), init=(container("2Gi"), container("5Gi")))

    def test_a_sidecar_counts_beside_all_that_come_after_it(self) -> None:
        self.check(7 << 30, container("1Gi"), init=(container("4Gi"), container("2Gi", "Always"), container("5Gi")))
        self.check(3 << 30, container("1Gi"), init=(container("2Gi", "Always"),))

    def test_a_limit_beyond_all_disks_is_the_largest_number_a_node_knows(self) -> None:
        self.check((1 << 63) - 1, container("9E"), container("9E"))
