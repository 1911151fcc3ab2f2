# SPDX-License-Identifier: Apache-2.0
"""The images that nodes pull: what kubeadm starts, and two small ones for users and tests."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

from distribution.builder import debian
from distribution.builder import oci
from distribution.builder.component import BuildError
from distribution.builder.component import Component
from distribution.builder.context import Context

PAUSE_MODULE = "distribution/modules/pause"
DEMO_MODULE = "distribution/demo"
BUSYBOX_FILES = "distribution/busybox"
# What programs expect of a root file system; no shell, no package manager.
BASE: Mapping[str, oci.Entry] = {
    "dev": oci.Directory(),
    "etc/group": oci.File(b"root:x:0:\nnogroup:x:65534:\n"),
    "etc/nsswitch.conf": oci.File(b"hosts: files dns\n"),
    "etc/passwd": oci.File(b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    "proc": oci.Directory(),
    "root": oci.Directory(0o700),
    "run": oci.Directory(),
    "sys": oci.Directory(),
    "tmp": oci.Directory(0o1777),
    "var/tmp": oci.Directory(0o1777),
}
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
# Of Debian's libc6; busybox needs no other package. Its static variant is not an option: glibc's
# resolver crashes when linked statically, so that wget and nslookup would.
BUSYBOX_LIBRARIES = ("ld-linux-x86-64.so.2", "libc.so.6", "libresolv.so.2")
LIST_TIMEOUT = 30.0


def control_plane(hyperkube: pathlib.Path, versions: Mapping[str, Mapping[str, Any]]) -> list[oci.Image]:
    """Return the images of the control plane, under the names kubeadm asks for.

    All have the same one layer, so that a node fetches and keeps it once.
    """
    layer: dict[str, oci.Entry] = {**BASE, "usr/local/bin/hyperkube": oci.File(hyperkube, 0o755)}
    for program in CONTROL_PLANE:
        layer[f"usr/local/bin/{program}"] = oci.Link("hyperkube")
    tags = dict.fromkeys(CONTROL_PLANE, versions["kubernetes"]["version"])
    tags["etcd"] = versions["kubernetes"]["etcd_image"]
    return [
        oci.Image(f"{program}:{tag}", [layer], entrypoint=[f"/usr/local/bin/{program}"])
        for program, tag in tags.items()
    ]


def busybox(
    executable: pathlib.Path, libraries: Mapping[str, pathlib.Path], applets: list[str], own: pathlib.Path
) -> oci.Image:
    """Return the busybox image: the C library below, busybox and its many names above.

    A file in the directory ``own`` replaces the applet of its name.
    """
    library: dict[str, oci.Entry] = {
        f"lib/x86_64-linux-gnu/{name}": oci.File(path, 0o755) for name, path in libraries.items()
    }
    library["lib64/ld-linux-x86-64.so.2"] = oci.Link("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    programs: dict[str, oci.Entry] = {**BASE, "bin/busybox": oci.File(executable, 0o755)}
    for file in sorted(own.iterdir()):
        programs[f"bin/{file.name}"] = oci.File(file, 0o755)
    for applet in applets:
        programs.setdefault(f"bin/{applet}", oci.Link("busybox"))
    return oci.Image("library/busybox:latest", [library, programs], command=["sh"])


def build_control_plane(output: pathlib.Path, context: Context) -> None:
    """Create the control plane's images from the Kubernetes executable."""
    hyperkube = context.result("kubernetes") / "bin" / "hyperkube"
    oci.write_layouts(control_plane(hyperkube, context.versions), output / "images")


def build_pause(output: pathlib.Path, context: Context) -> None:
    """Create the image that holds the namespaces of pods that run under runc."""
    program = context.work / "pause"
    context.go_build(context.root / PAUSE_MODULE, {".": program})
    tag = context.versions["kubernetes"]["pause_image"]
    # The user nobody, as upstream: the process holds namespaces and needs no privileges.
    image = oci.Image(f"pause:{tag}", [{"pause": oci.File(program, 0o755)}], ["/pause"], user="65535:65535")
    oci.write_layouts([image], output / "images")


def build_busybox(output: pathlib.Path, context: Context) -> None:
    """Create the busybox image from Debian's dynamically linked package."""
    root = context.work / "root"
    for package in ("busybox", "libc6"):
        debian.unpack(context, package, context.versions["busybox"][package], root)
    directory = root / "lib" / "x86_64-linux-gnu"
    libraries = {name: directory / name for name in BUSYBOX_LIBRARIES}
    executable = root / "bin" / "busybox"
    image = busybox(executable, libraries, _applets(executable, directory), context.root / BUSYBOX_FILES)
    oci.write_layouts([image], output / "images")


def _applets(executable: pathlib.Path, libraries: pathlib.Path) -> list[str]:
    """Return the names of busybox's applets; it is run with its own libraries."""
    loader = libraries / "ld-linux-x86-64.so.2"
    argv = [str(loader), "--library-path", str(libraries), str(executable), "--list"]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=LIST_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"busybox does not run here: {error}") from error
    return answer.stdout.split()


def build_demo(output: pathlib.Path, context: Context) -> None:
    """Create the image with the demo server for first steps and tests."""
    program = context.work / "demo"
    context.go_build(context.root / DEMO_MODULE, {".": program})
    layer: dict[str, oci.Entry] = {**BASE, "usr/local/bin/demo": oci.File(program, 0o755)}
    image = oci.Image("library/demo:latest", [layer], ["/usr/local/bin/demo"], ["serve"])
    oci.write_layouts([image], output / "images")


_MAKERS = ("distribution/builder/images.py", "distribution/builder/oci.py")
COMPONENTS = (
    Component(
        name="image-busybox",
        build=build_busybox,
        inputs=(*_MAKERS, BUSYBOX_FILES, "distribution/builder/debian.py"),
        versions=("busybox",),
    ),
    Component(name="image-demo", build=build_demo, inputs=(*_MAKERS, DEMO_MODULE), go=True),
    Component(
        name="image-pause", build=build_pause, inputs=(*_MAKERS, PAUSE_MODULE), versions=("kubernetes",), go=True
    ),
    Component(
        name="images-kubernetes",
        build=build_control_plane,
        inputs=_MAKERS,
        versions=("kubernetes",),
        needs=("kubernetes",),
    ),
)
