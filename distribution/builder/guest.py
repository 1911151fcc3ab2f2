# SPDX-License-Identifier: Apache-2.0
"""What a pod's virtual machine boots: kernel, initramfs and root file system.

hyper-guest lies in the initramfs, so that it speaks before any disk is found; the root
disk holds what containers need.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import stat
from collections.abc import Mapping
from collections.abc import Sequence

from distribution.builder import cpio
from distribution.builder import crun
from distribution.builder import debian
from distribution.builder import kernel
from distribution.builder.component import BuildError
from distribution.builder.component import Component
from distribution.builder.context import Context

META_PACKAGE = "linux-image-cloud-amd64"
# hyper-guest loads the stages by these names (runtime/internal/guest/boot).
STAGES = {
    "channel": ("virtio_pci", "virtio_console"),
    "rest": ("virtio_scsi", "sd_mod", "erofs", "overlay", "virtio_net"),
    "growth": ("virtio_mem",),
}
# Loaded only where they are needed, so that they cost neither boot time nor memory: they lie on the root disk.
LATER_STAGES = {
    # The addresses of Services.
    "services": (
        "nf_tables", "nft_chain_nat", "nft_ct", "nft_nat", "nft_numgen", "nft_reject_inet", "nf_conntrack_netlink",
    ),
    # What containers that may change the network expect beside: nft, and iptables on top of it.
    "netfilter": (
        "nft_masq", "nft_redir", "nft_hash", "nft_limit", "nft_log", "nft_fib_inet", "nft_objref", "nft_quota",
        "nft_compat", "nf_log_syslog", "xt_addrtype", "xt_comment", "xt_conntrack", "xt_mark", "xt_MASQUERADE",
        "xt_multiport", "xt_nat", "xt_REDIRECT", "xt_tcpudp",
    ),
}  # fmt: skip
MOUNT_POINTS = ("dev", "proc", "sys", "run", "tmp")
DIRECTORIES = (*MOUNT_POINTS, "etc", "modules", "usr/bin", "var", "root")
# Fixed, so that equal inputs produce equal disks.
ROOT_UUID = "7d1fbd5c-3c4f-4a86-9c0e-0a4c7f0e5d11"


def build(output: pathlib.Path, context: Context) -> None:
    """Fill ``guest/`` with vmlinux, initramfs, root.erofs and a manifest of the three."""
    guest = output / "guest"
    guest.mkdir(parents=True)
    tree = context.work / "kernel"
    package = kernel_package(context)
    debian.unpack(context, package, context.versions["guest"]["kernel"], tree)
    image = next((tree / "boot").glob("vmlinuz-*"))
    context.run(
        ["lz4", "-dc"],
        stdin=kernel.compressed_payload(image.read_bytes()),
        stdout=guest / "vmlinux",
    )
    program = context.work / "hyper-guest"
    context.go_build(context.root / "runtime", {"./cmd/hyper-guest": program})
    available = kernel.modules(tree)
    loaded: set[str] = set()
    early = staged(STAGES, available, loaded)
    (guest / "initramfs").write_bytes(initramfs(program.read_bytes(), early))
    make_root(context, guest / "root.erofs", staged(LATER_STAGES, available, loaded))
    write_manifest(guest, image.name.removeprefix("vmlinuz-"))


def kernel_package(context: Context) -> str:
    """Return the package that holds the kernel: what Debian's cloud kernel is today.

    A version in versions.toml is one of that package, and its name changes with it.
    """
    answer = context.work / "kernel-package"
    context.run(["apt-cache", "depends", "--important", META_PACKAGE], stdout=answer, timeout=60)
    for line in answer.read_text().splitlines():
        word, _, name = line.strip().partition(": ")
        if word == "Depends" and name.startswith("linux-image-"):
            return name
    raise BuildError(f"the archive has no {META_PACKAGE}; run apt-get update first")


def staged(
    stages: Mapping[str, Sequence[str]], available: Mapping[str, pathlib.Path], loaded: set[str]
) -> dict[str, bytes]:
    """Return the modules of stages by file name, each without what is ``loaded`` before.

    What is given is added to ``loaded``.
    """
    files: dict[str, bytes] = {}
    for stage, names in stages.items():
        for number, name in enumerate(kernel.in_loading_order(names, available, loaded)):
            files[f"{stage}-{number:02}-{name}.ko"] = kernel.without_signature(available[name].read_bytes())
    return files


def initramfs(program: bytes, modules: Mapping[str, bytes]) -> bytes:
    """Return the initramfs: hyper-guest as init, the modules, and what both need."""
    entries = [cpio.directory(name) for name in (*MOUNT_POINTS, "root", "modules")]
    # The kernel has no console here, and Go's runtime needs its standard streams.
    entries.append(cpio.Entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3)))
    entries += [cpio.file(f"modules/{name}", module) for name, module in modules.items()]
    entries.append(cpio.executable("init", program))
    return cpio.archive(entries)


def make_root(context: Context, image: pathlib.Path, modules: Mapping[str, bytes]) -> None:
    """Create the guest's root file system, read-only and uncompressed: reading it is boot time."""
    root = context.work / "root"
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True)
    crun.install(context, root)
    for name, module in modules.items():
        (root / "modules" / name).write_bytes(module)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/false\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    (root / "etc" / "resolv.conf").symlink_to("/run/resolv.conf")
    context.run(["mkfs.erofs", "-T0", "-U", ROOT_UUID, "--all-root", image, root])


def write_manifest(guest: pathlib.Path, release: str) -> None:
    """Write what the guest consists of; nodes use it to distinguish guests."""
    files = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "size": file.stat().st_size}
        for file in sorted(guest.iterdir())
    }
    manifest = {"version": 1, "kernel": release, "files": files}
    (guest / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


COMPONENT = Component(
    name="guest",
    build=build,
    inputs=(
        "distribution/builder/cpio.py",
        "distribution/builder/crun.py",
        "distribution/builder/debian.py",
        "distribution/builder/guest.py",
        "distribution/builder/kernel.py",
        "runtime/api",
        "runtime/cmd/hyper-guest",
        "runtime/go.mod",
        "runtime/go.sum",
        "runtime/internal/channel",
        "runtime/internal/guest",
        "runtime/internal/ident",
        "runtime/internal/relay",
        "runtime/internal/sysctl",
    ),
    versions=("guest", "crun"),
    go=True,
)
