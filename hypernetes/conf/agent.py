# SPDX-License-Identifier: Apache-2.0
"""Options of the node's agent: how it enrolls, where it keeps its state, how often it reports."""

from oslo_config import cfg

GROUP = cfg.OptGroup("agent", title="Node agent")

OPTIONS: list[cfg.Opt] = [
    cfg.URIOpt(
        "api_url",
        schemes=["https"],
        help="Base URL of the Hypernetes API, without the version, at which the agent enrolls.",
    ),
    cfg.StrOpt("node_id", help="Id of this node's record, as `openstack kube node create` printed it."),
    cfg.StrOpt(
        "enrollment_secret_file",
        default="/etc/hypernetes/enrollment-secret",
        help="File (0600) with the one-time secret that `openstack kube node create` printed. "
        "The agent removes it once it has enrolled.",
    ),
    cfg.StrOpt(
        "ca_file",
        default="/etc/hypernetes/ca.pem",
        help="PEM of the authorities that sign the API's and the message bus's certificates.",
    ),
    cfg.StrOpt(
        "state_dir",
        default="/var/lib/hypernetes",
        help="Where the agent keeps its credentials (0600), the results of phases and the sandboxes it serves.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/hypernetes",
        help="Where the agent's socket and the records for the shims are; may be lost at a reboot.",
    ),
    cfg.FloatOpt("heartbeat_interval", default=10.0, min=0.2, help="Seconds between two reports to the conductor."),
    cfg.FloatOpt(
        "request_timeout", default=15.0, min=1.0, help="Timeout in seconds of one HTTPS request of the enrollment."
    ),
    cfg.FloatOpt(
        "retry_max_interval",
        default=30.0,
        min=0.1,
        help="Upper limit, in seconds, of the growing pauses between tries of a call that must succeed some day.",
    ),
    cfg.FloatOpt(
        "phase_timeout",
        default=600.0,
        min=10.0,
        help="Seconds one command of a bootstrap phase may take before it is killed and the phase has failed.",
    ),
    cfg.IntOpt(
        "socket_workers",
        default=16,
        min=1,
        max=256,
        help="How many CNI ADD requests are worked on at once, four at most of one namespace; further ones wait for "
        "their turn. The other requests have threads of their own.",
    ),
    cfg.FloatOpt(
        "allocate_deadline",
        default=80.0,
        min=0.0,
        help="Seconds for which a pod's port is asked for again while no conductor answers, each time for "
        "[messaging] allocate_timeout seconds (25 for agents). Then CNI ADD fails and kubelet tries again.",
    ),
    cfg.FloatOpt(
        "collect_interval",
        default=60.0,
        min=1.0,
        help="Seconds between two searches for ports and devices whose sandbox is gone.",
    ),
]
