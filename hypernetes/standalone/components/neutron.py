# SPDX-License-Identifier: Apache-2.0
"""Neutron with ML2/OVN under uWSGI, and its maintenance worker."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.components import ovn
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program


def configuration(installation: Installation) -> ini.Sections:
    """Neutron's options. There are no RPC workers: with OVN nothing but the databases is talked to."""
    directory = installation.layout.service("neutron")
    return {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": ["ovn-router"],
            "api_paste_config": str(installation.layout.venv / "etc/neutron/api-paste.ini"),
            "state_path": str(directory),
            "transport_url": "fake://",
            "rpc_workers": 0,
            "rpc_state_report_workers": 0,
            "api_workers": 1,
            "notify_nova_on_port_status_changes": False,
            "notify_nova_on_port_data_changes": False,
            "dns_domain": "hypernetes.example.",
            "global_physnet_mtu": 1500,
        },
        "database": {"connection": mariadb.url(installation, "neutron"), "max_pool_size": 20},
        "keystone_authtoken": identity.token_middleware(installation, "neutron"),
        "oslo_concurrency": {"lock_path": str(directory / "lock")},
        "oslo_policy": {"enforce_new_defaults": True, "enforce_scope": True},
        # Quotas of the demonstration's projects are set per project; this is what any other project gets.
        "quotas": {"quota_network": 100, "quota_subnet": 100, "quota_port": 500, "quota_security_group": 100},
        "ml2": {
            "type_drivers": ["geneve", "flat"],
            "tenant_network_types": ["geneve"],
            "mechanism_drivers": ["ovn"],
            "extension_drivers": ["port_security", "dns"],
            "overlay_ip_version": 4,
        },
        # OVN's Geneve options need 38 bytes of header (Neutron's administration guide, OVN).
        "ml2_type_geneve": {"vni_ranges": "1:65536", "max_header_size": 38},
        "ml2_type_flat": {"flat_networks": "*"},
        "ovn": {
            "ovn_nb_connection": f"unix:{ovn.socket(installation, 'nb')}",
            "ovn_sb_connection": f"unix:{ovn.socket(installation, 'sb')}",
            "ovn_metadata_enabled": False,
            "enable_distributed_floating_ip": True,
            "ovsdb_probe_interval": 60000,
        },
        "securitygroup": {"enable_security_group": True},
    }


def start(installation: Installation) -> None:
    """Configure, migrate, start the API and the worker that keeps OVN in step."""
    directory = installation.layout.service("neutron")
    path = directory / "neutron.conf"
    machine.write(path, ini.render(configuration(installation)), mode=0o600)
    (directory / "lock").mkdir(exist_ok=True)

    def migrate() -> None:
        command: list[str | Path] = [installation.executable("neutron-db-manage"), "--config-file", path]
        machine.run([*command, "upgrade", "heads"], timeout=300)

    installation.once("neutron-database", metadata.version("neutron"), migrate)
    # Both processes must read the same file: the hash ring compares what they write to the database.
    environment = {"OS_NEUTRON_CONFIG_DIR": str(directory), "OS_NEUTRON_CONFIG_FILES": "neutron.conf"}
    service = wsgi.Service(
        name="neutron",
        module="neutron.wsgi.api:application",
        port=addresses.NEUTRON_PORT,
        processes=3,
        environment=environment,
        files=[path],
    )
    installation.control.apply(wsgi.program(installation, service))
    installation.control.apply(
        Program(
            name="neutron-maintenance",
            command=[installation.executable("neutron-ovn-maintenance-worker"), "--config-file", path],
            files=[path],
        )
    )


def ready(_installation: Installation) -> bool:
    """Return whether the API answers; its first answer comes only after the plugin has read OVN's databases."""
    return probes.answers(f"{addresses.NEUTRON_URL}/")


COMPONENT = Component(
    name="neutron",
    summary="networks, subnets, ports, security groups",
    needs=("mariadb", "memcached", "identity", "ovn"),
    start=start,
    ready=ready,
    timeout=180,
)
