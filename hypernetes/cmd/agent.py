# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-agent``: the daemon of a node."""

import signal
import sys
import threading

from hypernetes import threads

# Before anything imports oslo.messaging.
threads.use()

from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402

from hypernetes.agent import privileged  # noqa: E402
from hypernetes.agent import service  # noqa: E402
from hypernetes.conf import opts  # noqa: E402

REQUIRED = (("agent", "api_url"), ("agent", "node_id"), ("node", "name"), ("node", "address"))


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit status, 1 if a required option is missing."""
    # The global configuration: privsep and oslo.concurrency know no other.
    conf = cfg.CONF
    log.register_options(conf)
    opts.register(conf, "agent", "node", "messaging")
    conf(sys.argv[1:], project="hypernetes", prog="hypernetes-agent")
    log.setup(conf, "hypernetes")
    missing = [f"[{group}] {name}" for group, name in REQUIRED if not conf[group][name]]
    if missing:
        sys.stderr.write(f"hypernetes-agent: set {', '.join(missing)}\n")
        return 1
    # By default one CA signs the certificates of API and message bus.
    conf.set_default("ca_file", conf.agent.ca_file, group="messaging")
    # Forks, hence before any thread.
    privileged.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    service.run(conf, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
