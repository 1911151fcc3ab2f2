# SPDX-License-Identifier: Apache-2.0
"""``[agent]``: how a node's agent enrolls, where it keeps its state, and how long it tries."""

from oslo_config import cfg

from hypernetes.conf import timeouts

GROUP = cfg.OptGroup("agent", title="Node agent")

OPTIONS: list[cfg.Opt] = [
    cfg.URIOpt(
        "api_url",
        schemes=["https"],
        help="Base URL of the Hypernetes API, without the version, at which the agent enrolls. Required.",
    ),
    cfg.StrOpt("node_id", help="ID of this node's record, as printed by `openstack kube node create`. Required."),
    cfg.StrOpt(
        "enrollment_secret_file",
        default="/etc/hypernetes/enrollment-secret",
        help="File (mode 0600) with the one-time secret printed by `openstack kube node create`. The agent removes it "
        "when it has enrolled.",
    ),
    cfg.StrOpt(
        "ca_file",
        default="/etc/hypernetes/ca.pem",
        help="CA bundle (PEM) for verifying the API and, unless [messaging] ca_file is set, RabbitMQ.",
    ),
    cfg.StrOpt(
        "state_dir",
        default="/var/lib/hypernetes",
        help="Directory of the agent's credentials (mode 0600), the results of phases and the records of sandboxes. It "
        "must survive a reboot.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/hypernetes",
        help="Directory of the agent's socket and of the records for the shims. It may be lost at a reboot.",
    ),
    cfg.FloatOpt(
        "heartbeat_interval",
        default=10.0,
        min=0.2,
        help="Interval, in seconds, between two heartbeats. It should be several times shorter than "
        "[conductor] node_down_after; raise both for very many nodes.",
    ),
    cfg.FloatOpt(
        "request_timeout",
        default=15.0,
        min=1.0,
        help="Maximum time, in seconds, for one HTTPS request of the enrollment.",
    ),
    cfg.FloatOpt(
        "retry_max_interval",
        default=30.0,
        min=0.1,
        help="Maximum retry interval in seconds (exponential backoff) of calls that are repeated until they succeed: "
        "enrollment, phase results and released ports.",
    ),
    cfg.FloatOpt(
        "phase_timeout",
        default=600.0,
        min=10.0,
        help="Maximum time, in seconds, for one command of a bootstrap phase; then the command is killed and the phase "
        "fails. Raise it if images are pulled over a slow network.",
    ),
    cfg.IntOpt(
        "socket_workers",
        default=16,
        min=1,
        max=256,
        help="Number of CNI ADD requests that the agent serves at once, at most four of them for one namespace "
        "and half of them for one project; further requests wait. Other CNI requests have threads of their own.",
    ),
    cfg.FloatOpt(
        "allocate_deadline",
        default=timeouts.ALLOCATE_DEADLINE,
        min=0.0,
        help="Time, in seconds, for which the agent repeats the call for a pod's port while no conductor answers, each "
        "call for [messaging] allocate_timeout at most. After it CNI ADD fails and the kubelet retries. The limit that "
        "the agent writes into the CNI configuration follows from this option.",
    ),
    cfg.FloatOpt(
        "collect_interval",
        default=60.0,
        min=1.0,
        help="Interval, in seconds, between two searches for ports and devices whose sandbox is gone.",
    ),
]
