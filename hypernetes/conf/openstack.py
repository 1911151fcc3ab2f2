# SPDX-License-Identifier: Apache-2.0
"""``[openstack]``: the conductor's service user, and what the conductor creates in tenants' projects."""

from keystoneauth1 import loading
from oslo_config import cfg

from hypernetes.conf import service_user
from hypernetes.conf import timeouts

GROUP = cfg.OptGroup(
    "openstack",
    title="OpenStack services",
    help="The service user with which the conductor works, and what it creates in tenants' projects. The user needs "
    "two role assignments and is not a cloud administrator: service on the project project_name, so that Neutron lets "
    "it bind ports to hosts in any project; and manager on the domain managed_domain_id, so that Keystone lets it "
    "grant itself member_role in the projects of that domain. It must be a user of that domain. Projects of other "
    "domains need an inherited member_role assignment made by the operator. The conductor replaces the scope of the "
    "credentials, so auth_type must be a password plugin.",
)

_ADAPTER_OPTIONS = frozenset({"region-name", "valid-interfaces", "connect-retries"})


def _adapter_options() -> list[cfg.Opt]:
    options = loading.get_adapter_conf_options(include_deprecated=False)
    chosen = [option for option in options if option.name in _ADAPTER_OPTIONS]
    cfg.set_defaults(chosen, valid_interfaces=["internal", "public"], connect_retries=2)
    return chosen


OPTIONS = [
    cfg.StrOpt(
        "managed_domain_id",
        default="default",
        help="ID of the domain in which the service user has the role manager, and to which the tenants' projects "
        "belong.",
    ),
    cfg.StrOpt(
        "member_role",
        default="member",
        help="Name of the role that the service user grants itself in each project that uses Hypernetes. Neutron's "
        "policies must let it create networks, routers and security groups.",
    ),
    cfg.StrOpt(
        "deployment_name",
        default="hypernetes",
        regex=r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$",
        help="First part of the descriptions by which Neutron resources are recognized. Change it before the first "
        "namespace is created, and only if several deployments of Hypernetes use one Neutron: each needs its own. "
        "Resources that were created with another value are not found again.",
    ),
    cfg.StrOpt(
        "external_network_id",
        help="ID of the external network to which the projects' routers are connected; if unset, namespaces have no "
        "external connectivity.",
    ),
    cfg.ListOpt(
        "default_pool_prefixes",
        default=["10.0.0.0/16"],
        help="Prefixes (CIDR) of the subnet pool that each project gets, from which its namespaces' subnets are "
        "allocated. Projects have the same prefixes; within a project subnets never overlap. Change it if pods must "
        "reach external networks that use these addresses. Existing pools keep their prefixes.",
    ),
    cfg.IntOpt(
        "default_prefix_length",
        default=24,
        min=8,
        max=30,
        help="Prefix length of the subnet of a namespace that was created without a CIDR. The default allows about 250 "
        "pods per namespace, and 256 namespaces per project with the default default_pool_prefixes.",
    ),
    cfg.ListOpt(
        "name_servers",
        default=[],
        help="IP addresses of the name servers that are set on the namespaces' subnets. By default none is set.",
    ),
    *service_user.options(timeout=timeouts.OPENSTACK_REQUEST),
    *_adapter_options(),
]

LISTED = [*OPTIONS, *service_user.credentials()]
"""What the sample configuration shows."""
