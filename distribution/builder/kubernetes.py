# SPDX-License-Identifier: Apache-2.0
"""Kubernetes and etcd as one executable with many names."""

from __future__ import annotations

import pathlib

from distribution.builder.component import Component
from distribution.builder.context import Context

MODULE = "distribution/modules/kubernetes"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubeadm", "kubectl")
# Both packages carry the version: the servers answer with one, the clients send the other.
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def version_variables(version: str) -> dict[str, str]:
    """Return the link-time variables by which all programs state their version.

    The commit and date are no secrets but unknown here: released modules carry neither.
    """
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return {f"{package}.{name}": value for package in VERSION_PACKAGES for name, value in values.items()}


def build(output: pathlib.Path, context: Context) -> None:
    """Compile the executable ``bin/hyperkube`` and link the programs' names to it."""
    binary = output / "bin" / "hyperkube"
    context.go_build(
        context.root / MODULE,
        {".": binary},
        variables=version_variables(context.versions["kubernetes"]["version"]),
    )
    for program in PROGRAMS:
        (output / "bin" / program).symlink_to(binary.name)


COMPONENT = Component(
    name="kubernetes",
    build=build,
    inputs=(MODULE, "distribution/builder/kubernetes.py"),
    versions=("kubernetes",),
    go=True,
)
