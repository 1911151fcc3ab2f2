# SPDX-License-Identifier: Apache-2.0
"""``[api]``: the REST API."""

from oslo_config import cfg

GROUP = cfg.OptGroup("api", title="REST API")

OPTIONS = [
    cfg.IntOpt(
        "max_limit",
        default=1000,
        min=1,
        help="Maximum number of records per page of a list. A request for more gets this many.",
    ),
    cfg.IntOpt(
        "namespaces_per_project",
        default=100,
        min=-1,
        help="Maximum number of namespaces of one project, over all clusters; -1 for no limit. Together with "
        "[kubernetes] namespace_cpu and namespace_memory it bounds what a project's pods may request: their product. "
        "Neutron's quotas of networks, subnets and security groups may be lower.",
    ),
    cfg.ListOpt(
        "namespace_labels",
        default=["*", "app.kubernetes.io/*"],
        help="Keys of the labels that tenants may set on their namespaces by the API. A star stands for any characters "
        "but a slash, so the first default stands for keys without a prefix, which Kubernetes leaves to users. Add a "
        "prefix if charts need it; leave out those that admission webhooks or policies of yours trust. Keys that begin "
        "with hypernetes.openstack.org/ or kubernetes.io/ are never allowed.",
    ),
    cfg.IntOpt(
        "enrollment_secret_lifetime",
        default=3600,
        min=60,
        help="Lifetime, in seconds, of the one-time secret that is returned when a node is created. Raise it if nodes "
        "take longer to install.",
    ),
    cfg.IntOpt(
        "enrollment_failures_allowed",
        default=10,
        min=1,
        help="Number of wrong enrollment secrets for one node within enrollment_failure_window after which the API "
        "answers 429 to every enrollment of that node.",
    ),
    cfg.IntOpt(
        "enrollment_failure_window",
        default=60,
        min=1,
        help="Time, in seconds, after which wrong enrollment secrets are no longer counted.",
    ),
    cfg.ListOpt(
        "kubernetes_versions",
        default=["v1.37.2"],
        help="Kubernetes versions with which a cluster may be created: those of the distribution on the nodes. The "
        "first one is the default of requests that name none.",
    ),
    cfg.StrOpt(
        "service_subnet",
        default="10.96.0.0/12",
        help="CIDR of the virtual addresses of Services in clusters whose request names none. Tenants' subnets may not "
        "overlap it. Change it if tenants use these addresses; existing clusters keep theirs.",
    ),
    cfg.StrOpt(
        "error_help_url",
        default="https://docs.openstack.org/hypernetes/latest/user/errors.html",
        help="URL of the page to which each error links, with the error's code as fragment. Change it to a copy of the "
        "documentation that your users can reach; an empty value omits the links.",
    ),
    cfg.BoolOpt(
        "validate_responses",
        default=False,
        advanced=True,
        help="Validate every response against its JSON Schema and answer 500 if it does not conform. For tests.",
    ),
]
