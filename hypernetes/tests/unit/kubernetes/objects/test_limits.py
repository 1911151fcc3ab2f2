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


def sized(
    memory: str | None = None,
    cpu: str | None = None,
    requests: dict[str, str] | None = None,
    restart: str | None = None,
) -> core_v1.Container:
    stated = {name: value for name, value in (("memory", memory), ("cpu", cpu)) if value}
    resources = core_v1.ResourceRequirements(limits=stated, requests=requests)
    return core_v1.Container(name="c", resources=resources, restartPolicy=restart)


class MachineSizeTest(testtools.TestCase):
    """A node's defaults are 1 GiB and two processors."""

    def check(
        self,
        memory_mib: int,
        cpus: int,
        *containers: core_v1.Container,
        init: tuple[core_v1.Container, ...] = (),
        whole: core_v1.ResourceRequirements | None = None,
    ) -> None:
        spec = core_v1.PodSpec(containers=list(containers), initContainers=list(init), resources=whole)
        size = limits.machine_size(core_v1.Pod(spec=spec), 1 << 30, 2)
        self.assertEqual((memory_mib << 20, cpus), (size.memory, size.cpus))

    def test_limits_are_summed(self) -> None:
        self.check(384, 1, sized("128Mi", "500m"), sized("256Mi", "500m"))
        self.check(384, 2, sized("128Mi", "500m"), sized("256Mi", "501m"))

    def test_a_container_without_any_resources_gets_the_defaults(self) -> None:
        self.check(1024, 2, core_v1.Container(name="none"))
        self.check(2048, 2, core_v1.Container(name="none"), sized())

    def test_a_request_counts_where_it_is_larger_than_the_default(self) -> None:
        self.check(1024, 2, sized(requests={"memory": "256Mi", "cpu": "100m"}))
        self.check(3072, 4, sized(requests={"memory": "3Gi", "cpu": "3500m"}))

    def test_a_request_beside_a_limit_does_not_count(self) -> None:
        self.check(128, 1, sized("128Mi", "1", requests={"memory": "64Mi", "cpu": "100m"}))

    def test_limits_on_some(self) -> None:
        self.check(1024 + 128, 3, sized("128Mi", "3"), sized())

    def test_of_init_containers_the_largest_counts_and_sidecars_always(self) -> None:
        self.check(512, 2, sized("128Mi", "1"), init=(sized("512Mi", "2"), sized("256Mi", "1")))
        self.check(192 + 512, 3, sized("128Mi", "1"), init=(sized("192Mi", "1", restart="Always"), sized("512Mi", "2")))

    def test_an_init_container_without_limits_gets_the_defaults_too(self) -> None:
        self.check(1024, 2, sized("128Mi", "1"), init=(sized(),))

    def test_what_the_pod_states_as_a_whole_counts_instead(self) -> None:
        whole = core_v1.ResourceRequirements(limits={"memory": "300Mi", "cpu": "1"})
        self.check(300, 1, sized(), sized(), whole=whole)
        self.check(300, 2, sized(), sized(), whole=core_v1.ResourceRequirements(limits={"memory": "300Mi"}))
        self.check(5120, 2, sized(), whole=core_v1.ResourceRequirements(requests={"memory": "5Gi"}))

    def test_a_limit_beyond_all_machines_is_the_largest_number_a_node_knows(self) -> None:
        size = limits.machine_size(core_v1.Pod(spec=core_v1.PodSpec(containers=[sized("9E"), sized("9E")])), 1 << 30, 2)
        self.assertEqual((1 << 63) - 1, size.memory)
