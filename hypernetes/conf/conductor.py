# SPDX-License-Identifier: Apache-2.0
"""``[conductor]``: how eagerly the conductors converge."""

from oslo_config import cfg

GROUP = cfg.OptGroup("conductor", title="Conductor")

OPTIONS = [
    cfg.StrOpt(
        "key_file",
        default="/etc/hypernetes/conductor.key",
        help="File with the keys that encrypt clusters' client keys in the database, one Fernet key a line. The first "
        "encrypts, all decrypt; every conductor needs the same file, readable by the conductor's user only.",
    ),
    cfg.IntOpt("workers", default=4, min=1, help="Threads that reconcile; each works on one object at a time."),
    cfg.FloatOpt("lease_seconds", default=30.0, min=3.0, help="Seconds after which a killed conductor's work is free."),
    cfg.FloatOpt(
        "resync_interval",
        default=15.0,
        min=1.0,
        help="Seconds between two looks at the database for objects that are not settled: what a lost message costs.",
    ),
    cfg.FloatOpt(
        "audit_interval",
        default=600.0,
        min=10.0,
        help="Seconds between two looks at objects that are settled, and at ports whose pods may be gone.",
    ),
    cfg.FloatOpt("backoff_base", default=1.0, min=0.01, help="Seconds before the first retry of failed work."),
    cfg.FloatOpt("backoff_limit", default=120.0, min=1.0, help="Seconds between retries at most."),
    cfg.FloatOpt("rate", default=20.0, min=0.1, help="Retries a second of one conductor, over all objects."),
    cfg.IntOpt("burst", default=100, min=1, help="Retries that may come at once before the rate holds."),
    cfg.FloatOpt("heartbeat_flush_interval", default=3.0, min=0.1, help="Seconds for which heartbeats are collected."),
    cfg.FloatOpt("node_down_after", default=60.0, min=1.0, help="Seconds of silence after which a node is DOWN."),
    cfg.FloatOpt(
        "port_grace",
        default=300.0,
        min=0.0,
        help="Seconds for which a port outlives its pod before it is taken away without its node having asked.",
    ),
    cfg.FloatOpt(
        "allocate_wait",
        default=60.0,
        min=1.0,
        help="Seconds a request for a port may wait for another one about the same sandbox.",
    ),
    cfg.IntOpt(
        "sandboxes_per_pod",
        default=8,
        min=1,
        help="Ports one pod may hold at a time. A pod has one sandbox and, while it is replaced, two; the limit "
        "keeps a broken node from using up a project's quota.",
    ),
]
