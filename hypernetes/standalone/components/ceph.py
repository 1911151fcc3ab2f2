# SPDX-License-Identifier: Apache-2.0
"""Ceph in user space: a monitor, a manager, and an object store in a file; only for ``up --with cinder``.

One copy of everything, since there is one machine. Daemons run as Debian's user ``ceph`` and speak the second version
of Ceph's protocol in its encrypted mode only.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import uuid
from pathlib import Path
from typing import Any

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import packages
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

NAME = ACCOUNT = "ceph"
POOL = "volumes"
CLIENTS = ("admin", "cinder")
STORE_BYTES = 20 << 30
"""Size of the object store's file, which is sparse: it takes what is written to it."""
# One object store and one pool: more groups would balance nothing.
PLACEMENT_GROUPS = 8
# The manager runs these by default; none serves block volumes.
DISABLED_MODULES = ("iostat", "nfs", "restful")


def configuration_file(installation: Installation) -> Path:
    """Return the file that daemons and clients read."""
    return installation.layout.service(NAME) / "ceph.conf"


def keyring(installation: Installation, client: str) -> Path:
    """Return the file of a client's key."""
    return installation.layout.service(NAME) / f"ceph.client.{client}.keyring"


def configuration(directory: Path, cluster: uuid.UUID) -> ini.Sections:
    """Return the options of daemons and clients.

    :param cluster: Ceph's ``fsid``, which tells clusters apart.
    """
    secure = {f"ms_{who}_mode": "secure" for who in ("cluster", "service", "client")}
    return {
        "global": {
            "fsid": str(cluster),
            "mon_host": f"[v2:{addresses.CONTROL}:{addresses.CEPH_MONITOR_PORT}]",
            "public_network": f"{addresses.CONTROL}/32",
            "ms_bind_msgr1": False,
            "ms_bind_ipv6": False,
            "ms_bind_port_min": addresses.CEPH_DAEMON_PORTS.start,
            "ms_bind_port_max": addresses.CEPH_DAEMON_PORTS.stop - 1,
            **secure,
            **{f"ms_mon_{name.removeprefix('ms_')}": mode for name, mode in secure.items()},
            **{f"auth_{who}_required": "cephx" for who in ("cluster", "service", "client")},
            "auth_allow_insecure_global_id_reclaim": False,
            "run_dir": str(directory / "run"),
            "log_to_file": False,
            "log_to_stderr": True,
            "mon_cluster_log_to_file": False,
            "osd_pool_default_size": 1,
            "osd_pool_default_min_size": 1,
            "osd_pool_default_pg_autoscale_mode": "off",
            "osd_crush_chooseleaf_type": 0,
        },
        "mon": {
            "mon_data": str(directory / "mon"),
            "keyring": str(directory / "mon/keyring"),
            "mon_allow_pool_size_one": True,
            "mon_warn_on_pool_no_redundancy": False,
            # The disk is the machine's own, and others fill it: 5 % free is not the store's concern.
            "mon_data_avail_warn": 2,
            "mon_data_avail_crit": 1,
        },
        "mgr": {
            "mgr_data": str(directory / "mgr"),
            "keyring": str(directory / "mgr/keyring"),
            "mgr_disabled_modules": DISABLED_MODULES,
        },
        "osd": {
            "osd_data": str(directory / "osd"),
            "keyring": str(directory / "osd/keyring"),
            "osd_objectstore": "bluestore",
            "bluestore_block_size": STORE_BYTES,
            "bluestore_cache_autotune": False,
            "bluestore_cache_size": 64 << 20,
        },
        # Programs that hold a client's key need no socket to be asked at.
        "client": {"admin_socket": ""},
        **{f"client.{name}": {"keyring": f"{directory}/ceph.client.{name}.keyring"} for name in CLIENTS},
    }


def command(installation: Installation, *words: str, timeout: float = 60) -> str:
    """Run ``ceph`` as the cluster's administrator."""
    path = configuration_file(installation)
    return machine.run(["ceph", "--conf", path, "--connect-timeout", "10", *words], timeout=timeout)


def grant(installation: Installation, client: str, **capabilities: str) -> None:
    """Create a client with these capabilities and write its key where only root reads it."""
    # Together they would be refused where an earlier release has granted others.
    key = command(installation, "auth", "get-or-create", f"client.{client}")
    words = [word for pair in capabilities.items() for word in pair]
    command(installation, "auth", "caps", f"client.{client}", *words)
    machine.write(keyring(installation, client), key, mode=0o600)


def start(installation: Installation) -> None:
    """Install, create the cluster, start its daemons, create the pool."""
    packages.install_profile(installation, NAME)
    directory = installation.layout.service(NAME)
    account = pwd.getpwnam(ACCOUNT)
    for path in (directory, *(directory / name for name in ("run", "mon", "mgr", "osd"))):
        path.mkdir(mode=0o755 if path == directory else 0o700, parents=True, exist_ok=True)
        os.chown(path, account.pw_uid, account.pw_gid)
    # Not a secret, but made once and kept in the same way.
    cluster = uuid.uuid5(uuid.NAMESPACE_OID, installation.password("ceph-cluster"))
    machine.write(configuration_file(installation), ini.render(configuration(directory, cluster)))
    installation.once("ceph-monitor", str(cluster), lambda: _make_monitor(installation, cluster))
    _run(installation, "mon", "a")
    machine.wait_until(lambda: bool(status(installation)), "Ceph's monitor", timeout=60)
    installation.once("ceph-manager", str(cluster), lambda: _make_manager(installation))
    _run(installation, "mgr", "a")
    installation.once("ceph-store", str(cluster), lambda: _make_store(installation, cluster))
    _run(installation, "osd", "0")
    installation.once("ceph-pool", [str(cluster), POOL], lambda: _make_pool(installation))


def _make_monitor(installation: Installation, cluster: uuid.UUID) -> None:
    directory = installation.layout.service(NAME)
    _empty(directory / "mon")
    ring, initial, places = keyring(installation, "admin"), directory / "initial.keyring", directory / "monmap"
    everything = [word for who in ("mon", "osd", "mgr") for word in ("--cap", who, "allow *")]
    machine.run(["ceph-authtool", "--create-keyring", ring, "--gen-key", "-n", "client.admin", *everything])
    machine.run(["ceph-authtool", "--create-keyring", initial, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"])
    machine.run(["ceph-authtool", initial, "--import-keyring", ring])
    where = f"[v2:{addresses.CONTROL}:{addresses.CEPH_MONITOR_PORT}]"
    machine.run(["monmaptool", "--create", "--clobber", "--addv", "a", where, "--fsid", str(cluster), places])
    account = pwd.getpwnam(ACCOUNT)
    for path in (initial, places):
        os.chown(path, account.pw_uid, account.pw_gid)
    _make(installation, "mon", "a", "--monmap", str(places), "--keyring", str(initial))
    for path in (initial, places):
        path.unlink()


def _make_manager(installation: Installation) -> None:
    # It would make a pool for the state of disks, of which there is none. No manager has defined the option yet.
    command(installation, "config", "set", "--force", "mgr", "mgr/devicehealth/enable_monitoring", "false")
    key = command(installation, "auth", "get-or-create", "mgr.a", "mon", "allow profile mgr", "osd", "allow *")
    _write_key(installation, "mgr", key)


def _make_store(installation: Installation, cluster: uuid.UUID) -> None:
    directory = installation.layout.service(NAME)
    _empty(directory / "osd")
    store = str(uuid.uuid5(cluster, "osd.0"))
    command(installation, "osd", "new", store)
    capabilities = ("mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *")
    _write_key(installation, "osd", command(installation, "auth", "get-or-create", "osd.0", *capabilities))
    _make(installation, "osd", "0", "--osd-uuid", store)


def _make_pool(installation: Installation) -> None:
    command(installation, "osd", "pool", "create", POOL, str(PLACEMENT_GROUPS))
    command(installation, "osd", "pool", "application", "enable", POOL, "rbd")


def _write_key(installation: Installation, kind: str, key: str) -> None:
    account = pwd.getpwnam(ACCOUNT)
    path = installation.layout.service(NAME) / kind / "keyring"
    machine.write(path, key, mode=0o600, owner=(account.pw_uid, account.pw_gid))


def _empty(directory: Path) -> None:
    """Remove what an interrupted start has made."""
    shutil.rmtree(directory)
    directory.mkdir(mode=0o700)
    account = pwd.getpwnam(ACCOUNT)
    os.chown(directory, account.pw_uid, account.pw_gid)


def _make(installation: Installation, kind: str, name: str, *words: str) -> None:
    """Have a daemon make its data directory."""
    identity = ["--setuser", ACCOUNT, "--setgroup", ACCOUNT, "--id", name]
    machine.run([f"ceph-{kind}", "--conf", configuration_file(installation), *identity, "--mkfs", *words], timeout=120)


def _run(installation: Installation, kind: str, name: str) -> None:
    path = configuration_file(installation)
    program: list[str | Path] = [f"/usr/bin/ceph-{kind}", "-f", "--conf", path, "--id", name]
    installation.control.apply(
        Program(name=f"ceph-{kind}", command=program, user=ACCOUNT, files=[path], stop_seconds=30)
    )


def status(installation: Installation) -> dict[str, Any]:
    """Return the cluster's status; empty when no monitor answers."""
    try:
        return dict(json.loads(command(installation, "status", "--format", "json", timeout=20)))
    except (machine.CommandFailed, ValueError):
        return {}


def ready(installation: Installation) -> bool:
    """Return whether every placement group takes writes."""
    groups = status(installation).get("pgmap", {}).get("pgs_by_state", [])
    return bool(groups) and all("active" in group["state_name"].split("+") for group in groups)


COMPONENT = Component(
    name=NAME,
    summary="block storage for Cinder",
    needs=("supervisor", "bridge"),
    start=start,
    ready=ready,
    timeout=120,
    optional=True,
)
