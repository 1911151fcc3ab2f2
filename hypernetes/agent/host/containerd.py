# SPDX-License-Identifier: Apache-2.0
"""containerd's configuration and program, built without I/O.

Options by containerd v2.4, docs/cri/config.md and docs/hosts.md.
"""

import json
import shlex
from collections.abc import Mapping

from hypernetes.agent.host import services
from hypernetes.agent.host.layout import Layout
from hypernetes.model import names

PROGRAM = "containerd"
ANY_HOST = "_default"
"""Stands for every registry host that has no mirror of its own (containerd's docs/hosts.md)."""


def configuration(layout: Layout, pause_image: str) -> str:
    """Render containerd's config.toml: runc for the system's pods, a virtual machine for all others."""
    text = _quoted
    return f"""\
# Written by hypernetes-agent; changes are lost.
version = 3
root = {text(layout.containerd_root)}
state = {text(layout.containerd_run)}
# oom_score_adj, debug and metrics keep their defaults: nothing listens on TCP.

# It would store layers that an image brings as ready-made erofs files. Layers are made by this node's mkfs.erofs from
# tar archives and in no other way: a machine's kernel mounts what is stored, for all tenants.
disabled_plugins = ["io.containerd.differ.v1.erofs"]

[grpc]
  address = {text(layout.containerd_socket)}

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "erofs"
  # A virtual machine gets an image's layers as block devices, which erofs layers are as they lie there; the
  # compressed originals are of no more use once unpacked.
  discard_unpacked_layers = true
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = {text(pause_image)}
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = {text(layout.containerd / "certs.d")}

[plugins."io.containerd.service.v1.diff-service"]
  default = ["walking"]

# An imported image ("ctr images import") is unpacked at once and layer upon layer. Left to the creation of a container,
# containerd 2.4 unpacks the layers beside each other, and the erofs snapshotter loses what they delete (containerd
# issue 13030). The erofs differ, which is free of this, needs mkfs.erofs 1.7.
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux"
  snapshotter = "erofs"
  differ = "walking"

[plugins."io.containerd.cri.v1.runtime"]
  # For the system's pods. A virtual machine sets the same inside (doc/source/reference/guest.rst).
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  # Lowering oom_score_adj takes CAP_SYS_RESOURCE, which containerd may lack.
  restrict_oom_score_adj = true
  # An image's VOLUME is a directory of the container's root file system: in the machine, filled from the image and gone
  # with the container. containerd would mount the tenant's image on this host to copy the content out.
  ignore_image_defined_volumes = true
  # Network namespaces are mounted in this node's own directory.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    # What a pod without a RuntimeClass gets. The control plane's static pods have none, as kubelet could not look it up
    # before there is an apiserver. That runc serves no other namespace is checked by the program below.
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      snapshotter = "erofs"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = {text(layout.system_runc)}
        SystemdCgroup = false
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.{names.RUNTIME_CLASS}]
      runtime_type = {text(names.RUNTIME_TYPE)}
      sandboxer = "shim"
      snapshotter = "erofs"
      disable_pause_image_pull = true
      # A privileged container has all devices, but the machine's: those of this host are left out.
      privileged_without_host_devices = true
      privileged_without_host_devices_all_devices_allowed = true
      # A tenant's annotations reach the shim in the sandbox's configuration, never the runtime's options.
      pod_annotations = []
      container_annotations = []
  [plugins."io.containerd.cri.v1.runtime".cni]
    use_internal_loopback = true
    bin_dirs = [{text(layout.cni_programs)}]
    conf_dir = {text(layout.cni_configuration)}
    max_conf_num = 1
"""


def hosts(mirror: str, ca_file: str | None) -> str:
    """Render certs.d/<host>/hosts.toml of a registry host that is pulled from a mirror and nowhere else."""
    lines = [
        "# Written by hypernetes-agent; changes are lost.",
        # Naming the mirror as the server too keeps containerd from falling back to the upstream host.
        f"server = {_quoted(mirror)}",
    ]
    if ca_file:
        lines.append(f"ca = {_quoted(ca_file)}")
    lines += [f"[host.{_quoted(mirror)}]", '  capabilities = ["pull", "resolve"]']
    if ca_file:
        lines.append(f"  ca = {_quoted(ca_file)}")
    return "\n".join(lines) + "\n"


def files(layout: Layout, pause_image: str, mirrors: Mapping[str, str], ca_file: str | None) -> dict[str, str]:
    """Render containerd's files, by path.

    :param mirrors: the URLs from which images are pulled, by registry host; :data:`ANY_HOST` for all others.
    """
    result = {str(layout.containerd / "config.toml"): configuration(layout, pause_image)}
    for host, mirror in mirrors.items():
        result[str(layout.containerd / "certs.d" / host / "hosts.toml")] = hosts(mirror, ca_file)
    return result


def system_runc(layout: Layout) -> str:
    """Render the program that containerd's shim calls as runc: it creates containers of the system's namespaces only.

    Admission demands a virtual machine for every other pod. This holds where a policy is missing, too.
    """
    namespaces = "|".join(sorted(names.SYSTEM_NAMESPACES))
    # containerd writes config.json: a quotation mark inside a value has a backslash before it, so that no value of a
    # tenant's reads like this annotation.
    annotation = f'"io\\.kubernetes\\.cri\\.sandbox-namespace": ?"({namespaces})"'
    return f"""\
#!/bin/sh
# Written by hypernetes-agent; changes are lost.
creating= bundle=. log=/dev/null previous=
for word in "$@"; do
    case $previous in
        --bundle | -b) bundle=$word ;;
        --log) log=$word ;;
    esac
    case $word in
        create | run) creating=yes ;;
        --bundle=*) bundle=${{word#--bundle=}} ;;
    esac
    previous=$word
done
if [ "$creating" ] && ! grep -qE {shlex.quote(annotation)} "$bundle/config.json"; then
    reason="runc serves the system's namespaces only: other pods need the RuntimeClass {names.RUNTIME_CLASS}"
    # From there containerd's shim takes what it reports to kubelet.
    printf '{{"level":"error","msg":"%s"}}\n' "$reason" >>"$log"
    echo "$reason" >&2
    exit 1
fi
exec {shlex.quote(str(layout.binaries / "runc"))} "$@"
"""


def program(layout: Layout) -> services.Program:
    """Return containerd as the service manager runs it."""
    return services.Program(
        name=PROGRAM,
        command=(str(layout.binaries / "containerd"), "--config", str(layout.containerd / "config.toml")),
        # Shims are looked up on PATH, and inherit the rest.
        environment={"PATH": layout.search_path},
    )


def _quoted(value: object) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(str(value))
