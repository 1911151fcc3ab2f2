# SPDX-License-Identifier: Apache-2.0
"""``[conductor]``: the conductors' threads, retries, leases and intervals."""

from oslo_config import cfg

from hypernetes.conf import timeouts

GROUP = cfg.OptGroup("conductor", title="Conductor")

OPTIONS = [
    cfg.StrOpt(
        "key_file",
        default="/etc/hypernetes/conductor.key",
        help="File with the Fernet keys that encrypt clusters' client keys in the database, one per line. The first "
        "key encrypts, all keys decrypt; to rotate, add a new first line. Every conductor needs the same file, with "
        "mode 0600 or 0640.",
    ),
    cfg.IntOpt(
        "workers",
        default=4,
        min=1,
        help="Number of reconciling threads per conductor; each works on one object at a time. Raise it if objects "
        "wait although CPU, Neutron and the apiservers have capacity.",
    ),
    cfg.IntOpt(
        "workers_per_project",
        min=1,
        help="Maximum number of a conductor's reconciling threads that work on one project's objects at the same time. "
        "By default half of workers. Lower it if one project's requests slow the others' down.",
    ),
    cfg.FloatOpt(
        "lease_seconds",
        default=30.0,
        min=3.0,
        help="Lease lifetime in seconds. A conductor renews the lease on the object it works on; another conductor may "
        "take over after it expires. Lower values shorten the pause after a crash and cost more database writes.",
    ),
    cfg.FloatOpt(
        "resync_interval",
        default=15.0,
        min=1.0,
        help="Interval, in seconds, at which a conductor reads the unsettled objects from the database. It bounds the "
        "delay that a lost message causes.",
    ),
    cfg.FloatOpt(
        "audit_interval",
        default=600.0,
        min=10.0,
        help="Interval, in seconds, at which a conductor verifies settled objects and searches for ports whose pods "
        "are gone. Lower values repair manual changes sooner and cause more requests to Neutron and the apiservers.",
    ),
    cfg.FloatOpt(
        "project_check_interval",
        default=300.0,
        min=10.0,
        help="Interval, in seconds, at which a conductor asks Keystone, by one request for each, whether the projects "
        "that have namespaces still exist. Namespaces of deleted projects are deleted after gone_project_grace.",
    ),
    cfg.FloatOpt(
        "gone_project_grace",
        default=3600.0,
        min=0.0,
        help="Time, in seconds, for which Keystone must not find a project, at each check and at two at least, "
        "before its namespaces are deleted. It is the time to notice that Keystone was restored from an old backup or "
        "that one of its servers uses another database; a restart of the conductor begins it again.",
    ),
    cfg.FloatOpt(
        "finalizer_timeout",
        default=300.0,
        min=30.0,
        help="Time limit, in seconds, for the controllers of tenants' finalizers once a namespace is being deleted. "
        "After it, finalizers are removed from the objects that block the deletion, except those of Kubernetes' own "
        "controllers. Raise it if tenants run controllers that need longer to clean up.",
    ),
    cfg.FloatOpt(
        "backoff_base",
        default=1.0,
        min=0.01,
        help="Delay, in seconds, before the first retry of failed work; it doubles with each further failure.",
    ),
    cfg.FloatOpt(
        "backoff_limit",
        default=120.0,
        min=1.0,
        help="Maximum retry interval in seconds (exponential backoff).",
    ),
    cfg.FloatOpt(
        "rate",
        default=1.0,
        min=0.1,
        help="Maximum number of retries per second of one project's objects, by one conductor, after a burst.",
    ),
    cfg.IntOpt(
        "burst",
        default=20,
        min=1,
        help="Number of retries of one project's objects that may run at once before the rate limit applies.",
    ),
    cfg.FloatOpt(
        "heartbeat_flush_interval",
        default=3.0,
        min=0.1,
        help="Interval, in seconds, at which collected heartbeats are written to the database in one statement.",
    ),
    cfg.FloatOpt(
        "node_down_after",
        default=60.0,
        min=1.0,
        help="Time, in seconds, without a heartbeat after which a node is DOWN. It should be several times "
        "[agent] heartbeat_interval.",
    ),
    cfg.FloatOpt(
        "port_grace",
        default=300.0,
        min=0.0,
        help="Grace period, in seconds, before a port whose pod is gone is deleted although its node has not released "
        "it. Its node may only be restarting.",
    ),
    cfg.FloatOpt(
        "allocate_wait",
        default=timeouts.ALLOCATE_WAIT,
        min=1.0,
        help="Maximum time, in seconds, that a call for a port waits for another call for the same sandbox. Keep it "
        "below [messaging] allocate_timeout, so that the caller is still there to be answered.",
    ),
    cfg.IntOpt(
        "sandboxes_per_pod",
        default=8,
        min=1,
        help="Maximum number of ports per pod. A pod has one sandbox and, while it is replaced, two; the limit keeps a "
        "compromised node from using up a project's quota.",
    ),
]
