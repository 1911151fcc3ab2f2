# SPDX-License-Identifier: Apache-2.0
"""OVN's central part: northbound and southbound databases and northd.

Chassis reach the southbound database over TLS and only in the role ``ovn-controller``, by which OVN guards chassis
and encapsulation rows by the certificate's common name (ovn-sbctl(8), RBAC in ovn-sb(5)). Northd and Neutron use
sockets that only root may open.
"""

from __future__ import annotations

from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

SCHEMAS = Path("/usr/share/ovn")
ROLE = "ovn-controller"


def socket(installation: Installation, database: str) -> Path:
    """The unix socket of ``nb`` or ``sb``."""
    return installation.layout.service("ovn") / f"{database}.sock"


def start(installation: Installation) -> None:
    """Make the databases, start their servers and northd, open the southbound one to chassis."""
    directory = installation.layout.service("ovn")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = installation.layout.tls
    for database, listen in (("nb", ""), ("sb", "--remote=db:OVN_Southbound,SB_Global,connections")):
        file = directory / f"{database}.db"
        if not file.exists():
            machine.run(["ovsdb-tool", "create", file, SCHEMAS / f"ovn-{database}.ovsschema"])
        elif (
            machine.run(["ovsdb-tool", "needs-conversion", file, SCHEMAS / f"ovn-{database}.ovsschema"]).strip()
            == "yes"
        ):
            machine.run(["ovsdb-tool", "convert", file, SCHEMAS / f"ovn-{database}.ovsschema"])
        certificate = tls / "ovn-southbound.crt"
        secure = [
            f"--private-key={tls / 'ovn-southbound.key'}",
            f"--certificate={certificate}",
            f"--ca-cert={tls / 'ca.crt'}",
        ]
        command: list[str | Path] = [
            "/usr/sbin/ovsdb-server", file, f"--remote=punix:{socket(installation, database)}",
            f"--unixctl={directory / database}.ctl", "-vconsole:warn", "-vfile:off", "-vsyslog:off",
        ]  # fmt: skip
        installation.control.apply(
            Program(
                name=f"ovn-{database}",
                command=[*command, *([listen, *secure] if listen else [])],
                files=[certificate] if listen else [],
            )
        )
    machine.wait_until(lambda: ready_database(installation, "nb"), "OVN northbound database", timeout=30)
    machine.wait_until(lambda: ready_database(installation, "sb"), "OVN southbound database", timeout=30)
    target = f"pssl:{addresses.OVN_SOUTHBOUND_PORT}:{addresses.CONTROL}"
    southbound = f"--db=unix:{socket(installation, 'sb')}"
    known = machine.run(["ovn-sbctl", southbound, "--timeout=10", "--bare", "--columns=role", "list", "connection"])
    if known.strip() != ROLE:
        machine.run(["ovn-sbctl", southbound, "--timeout=10", "set-connection", f"role={ROLE}", target])
    installation.control.apply(
        Program(
            name="ovn-northd",
            command=[
                "/usr/bin/ovn-northd",
                f"--ovnnb-db=unix:{socket(installation, 'nb')}",
                f"--ovnsb-db=unix:{socket(installation, 'sb')}",
                f"--unixctl={directory / 'northd'}.ctl",
                "-vconsole:warn",
                "-vfile:off",
                "-vsyslog:off",
            ],
        )
    )


def ready_database(installation: Installation, database: str) -> bool:
    """Return whether a database answers on its socket."""
    return machine.succeeds(
        ["ovsdb-client", "--timeout=5", "list-dbs", f"unix:{socket(installation, database)}"], timeout=10
    )


def ready(installation: Installation) -> bool:
    """Return whether northd has carried a change from north to south: it answers ``--wait=sb sync``."""
    northbound = f"--db=unix:{socket(installation, 'nb')}"
    return machine.succeeds(["ovn-nbctl", northbound, "--timeout=5", "--wait=sb", "sync"], timeout=10)


COMPONENT = Component(
    name="ovn",
    summary="OVN databases and northd",
    needs=("supervisor", "bridge", "tls"),
    start=start,
    ready=ready,
    timeout=60,
)
