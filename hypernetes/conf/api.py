# SPDX-License-Identifier: Apache-2.0
"""``[api]``: the REST API."""

from oslo_config import cfg

GROUP = cfg.OptGroup("api", title="REST API")

OPTIONS = [
    cfg.IntOpt("max_limit", default=1000, min=1, help="Records on one page of a list at most."),
    cfg.IntOpt(
        "enrollment_secret_lifetime",
        default=3600,
        min=60,
        help="Seconds for which the one-time secret that a new node's record comes with can be used.",
    ),
    cfg.IntOpt(
        "enrollment_failures_allowed",
        default=10,
        min=1,
        help="How many wrong enrollment secrets may be presented for one node within enrollment_failure_window before "
        "the API answers 429 to all of them.",
    ),
    cfg.IntOpt(
        "enrollment_failure_window",
        default=60,
        min=1,
        help="Seconds after which wrong enrollment secrets are forgotten.",
    ),
    cfg.ListOpt(
        "kubernetes_versions",
        default=["v1.37.2"],
        help="Versions a cluster may be created with, those of the distribution tree on the nodes. The first one is "
        "taken when a request names none.",
    ),
    cfg.StrOpt(
        "service_subnet",
        default="10.96.0.0/12",
        help="CIDR of the Services' virtual addresses of a cluster whose request names none. Tenants' subnets in the "
        "cluster may not overlap it.",
    ),
    cfg.BoolOpt(
        "validate_responses",
        default=False,
        advanced=True,
        help="Check every answer against its JSON Schema and answer 500 if it does not conform. The tests do so.",
    ),
]
