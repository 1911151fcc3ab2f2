# SPDX-License-Identifier: Apache-2.0
"""``[webhook]``: the TokenReview webhook and the service user it validates tokens with."""

from keystoneauth1 import loading
from oslo_config import cfg

GROUP = cfg.OptGroup("webhook", title="TokenReview webhook")

OPTIONS = [
    cfg.ListOpt(
        "audiences",
        default=["https://kubernetes.default.svc.cluster.local"],
        help="Audiences apiservers may ask for: the values of their --api-audiences.",
    ),
    cfg.FloatOpt(
        "cache_seconds",
        default=10.0,
        min=0.0,
        max=20.0,
        help="How long a good token is not asked for again. Apiservers add 10 s of their own; a role that was removed "
        "in Keystone opens nothing any more when both are over.",
    ),
    cfg.FloatOpt(
        "refusal_cache_seconds",
        default=5.0,
        min=0.0,
        max=20.0,
        help="How long a bad token is not asked for again.",
    ),
    cfg.IntOpt("cache_size", default=10000, min=1, help="Tokens remembered at most, as digests."),
    # The service user: auth_type, auth_url, username, password, project_name, …; it needs the role service.
    *loading.get_auth_common_conf_options(),
    *loading.get_auth_plugin_conf_options("v3password"),
    *loading.get_session_conf_options(),
]
cfg.set_defaults(OPTIONS, timeout=10)
