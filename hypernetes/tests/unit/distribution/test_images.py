# SPDX-License-Identifier: Apache-2.0
import pathlib
import tempfile
import unittest

from distribution.builder import images
from distribution.builder import oci

VERSIONS = {"kubernetes": {"version": "v1.2.3", "etcd_image": "4.5.6-0"}}


class ControlPlane(unittest.TestCase):
    def setUp(self) -> None:
        self.images = images.control_plane(pathlib.Path("hyperkube"), VERSIONS)

    def test_the_names_are_those_that_kubeadm_asks_for(self) -> None:
        self.assertEqual(
            [
                "kube-apiserver:v1.2.3",
                "kube-controller-manager:v1.2.3",
                "kube-scheduler:v1.2.3",
                "etcd:4.5.6-0",
            ],
            [image.reference for image in self.images],
        )

    def test_each_program_is_found_in_the_path(self) -> None:
        for image in self.images:
            program = image.reference.split(":")[0]
            self.assertEqual(oci.Link("hyperkube"), image.layers[0][f"usr/local/bin/{program}"])

    def test_all_have_the_same_layer(self) -> None:
        self.assertEqual(1, len({id(image.layers[0]) for image in self.images}))


class Busybox(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        own = pathlib.Path(directory.name)
        (own / "wget").write_text("#!/bin/sh\n")
        libraries = {"libc.so.6": pathlib.Path("libc.so.6")}
        self.image = images.busybox(pathlib.Path("busybox"), libraries, ["sh", "wget", "busybox"], own)
        self.own = own

    def test_applets_are_links(self) -> None:
        self.assertEqual(oci.Link("busybox"), self.image.layers[1]["bin/sh"])

    def test_a_file_of_ours_takes_the_place_of_an_applet(self) -> None:
        self.assertEqual(oci.File(self.own / "wget", 0o755), self.image.layers[1]["bin/wget"])

    def test_the_executable_is_not_a_link_to_itself(self) -> None:
        self.assertIsInstance(self.image.layers[1]["bin/busybox"], oci.File)

    def test_the_loader_is_where_the_executable_names_it(self) -> None:
        self.assertIn("lib64/ld-linux-x86-64.so.2", self.image.layers[0])
