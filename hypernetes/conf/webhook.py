# SPDX-License-Identifier: Apache-2.0
"""``[webhook]``: the TokenReview webhook and the service user with which it validates tokens."""

from oslo_config import cfg

from hypernetes.conf import service_user

GROUP = cfg.OptGroup(
    "webhook",
    title="TokenReview webhook",
    help="Validation of Keystone tokens for apiservers. The service user (auth_type, auth_url, username, …) needs the "
    "role service and no other.",
)

OPTIONS = [
    cfg.ListOpt(
        "audiences",
        default=["https://kubernetes.default.svc.cluster.local"],
        help="Audiences for which tokens are valid: the values of the apiservers' --api-audiences. A TokenReview that "
        "names other audiences only is answered as not authenticated. Change it only together with the apiservers'.",
    ),
    cfg.FloatOpt(
        "cache_seconds",
        default=10.0,
        min=0.0,
        max=20.0,
        help="How long, in seconds, a successful validation is cached; 0 disables the cache. An apiserver caches for "
        "another 10 s, and a role removed in Keystone remains effective until both have expired. While Keystone does "
        "not answer within a second, an answer of up to 45 s is used. Raise it to reduce the load on Keystone, lower "
        "it to revoke access sooner.",
    ),
    cfg.FloatOpt(
        "refusal_cache_seconds",
        default=5.0,
        min=0.0,
        max=20.0,
        help="How long, in seconds, a failed validation is cached; 0 disables it. It protects Keystone from a client "
        "that repeats an invalid token.",
    ),
    cfg.IntOpt(
        "cache_size",
        default=10000,
        min=1,
        help="Maximum number of valid tokens remembered per process; the oldest is dropped first. Only digests of "
        "tokens are stored. Raise it if more tokens than this are used within an hour.",
    ),
    cfg.IntOpt(
        "refusal_cache_size",
        default=1000,
        min=1,
        help="Maximum number of cached failed validations per process; the oldest is dropped first. They have a cache "
        "of their own, so that no number of invalid tokens displaces a valid one.",
    ),
    cfg.IntOpt(
        "unknown_validations",
        default=8,
        min=1,
        help="Maximum number of validations in progress at Keystone, per process, of tokens that were not valid within "
        "the last hour; lower it if forged tokens slow down Keystone.",
    ),
    cfg.IntOpt(
        "unknown_waiting",
        default=64,
        min=0,
        help="Maximum number of such tokens, per process, that wait for a validation in the order in which they came; "
        "more are answered 503, which the apiserver retries after a second. Each holds a thread, so keep the sum of "
        "both, with known_validations, below the process' threads.",
    ),
    cfg.IntOpt(
        "known_validations",
        default=8,
        min=1,
        help="Number of validations in progress at Keystone, per process, of tokens that were valid within the last "
        "hour; no other token can use them.",
    ),
    cfg.IntOpt(
        "write_rate",
        default=2 << 20,
        min=64 << 10,
        help="Bytes per second of a tenant's large writes for each seat of its lane in an apiserver ([kubernetes] "
        "tenant_write_shares); an update counts the old object and the new one, and 64 KiB are free. A write takes at "
        "least the time that follows from its size. Lower it where a single tenant's large writes delay others.",
    ),
    cfg.IntOpt(
        "writes_waiting",
        default=16,
        min=1,
        help="Maximum number of large writes, per process, that wait as write_rate says; more are refused with 429. "
        "Each holds a thread, so keep the sum of this, unknown_validations, unknown_waiting and known_validations "
        "below the process' threads.",
    ),
    *service_user.options(timeout=10),
]

LISTED = [*OPTIONS, *service_user.credentials()]
"""What the sample configuration shows."""
