# SPDX-License-Identifier: Apache-2.0
"""``[openstack]``: the service user with which the conductor works, and what it makes in tenants' projects.

The service user needs two role assignments and no cloud administrator's:

* ``service`` on the service project: Neutron lets it bind ports to hosts in any project;
* ``manager`` on the domain of the tenants' projects: Keystone lets it grant itself ``member`` there. It is a user of
  that domain; projects of other domains need an inherited ``member`` assignment made by the operator.
"""

from oslo_config import cfg

GROUP = cfg.OptGroup("openstack", title="OpenStack services")

OPTIONS = [
    cfg.StrOpt("auth_url", default="http://127.0.0.1:5000/v3", help="Keystone's public endpoint."),
    cfg.StrOpt("username", default="hypernetes", help="Name of the service user."),
    cfg.StrOpt("password", secret=True, help="Password of the service user."),
    cfg.StrOpt("user_domain_id", default="default", help="Domain of the service user."),
    cfg.StrOpt("project_name", default="service", help="Project in which the service user has the role service."),
    cfg.StrOpt("project_domain_id", default="default", help="Domain of that project."),
    cfg.StrOpt(
        "managed_domain_id",
        default="default",
        help="Domain in which the service user has the role manager; the tenants' projects belong to it.",
    ),
    cfg.StrOpt("member_role", default="member", help="Role the service user grants itself in projects that use us."),
    cfg.StrOpt("region_name", help="Region of Neutron in the catalog; unset takes the only one."),
    cfg.StrOpt(
        "interface",
        default="internal",
        choices=("internal", "public", "admin"),
        help="Which of Neutron's endpoints is used.",
    ),
    cfg.StrOpt("ca_file", help="PEM file of the authority of the services' certificates; unset takes the system's."),
    cfg.FloatOpt("timeout", default=30.0, min=1.0, help="Seconds one request to a service may take."),
    cfg.IntOpt(
        "connect_retries",
        default=2,
        min=0,
        help="How often a connection is attempted again at once; afterwards the work queue tries later.",
    ),
    cfg.StrOpt(
        "external_network_id",
        help="Network to which the projects' routers are connected; unset leaves namespaces without the outside.",
    ),
    cfg.ListOpt(
        "default_pool_prefixes",
        default=["10.0.0.0/16"],
        help="Prefixes of each project's subnet pool. They repeat between projects on purpose and never within one.",
    ),
    cfg.IntOpt(
        "default_prefix_length",
        default=24,
        min=8,
        max=30,
        help="Prefix length of a namespace's subnet where the user asked for no CIDR.",
    ),
    cfg.ListOpt("name_servers", default=[], help="Addresses of name servers written into the subnets."),
]
