# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-conductor``: creates and deletes what the API's records ask for."""

# Before anything imports oslo.messaging.
from hypernetes import threads

threads.use()

import sys  # noqa: E402

from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402
from oslo_service import service  # noqa: E402

from hypernetes.conductor import service as conductor  # noqa: E402
from hypernetes.conf import opts  # noqa: E402


class ConductorService(service.ServiceBase):
    """Creates the conductor in the process that runs it: connections and threads do not survive a fork."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._conductor: conductor.Conductor | None = None

    def start(self) -> None:
        """Start the conductor."""
        self._conductor = conductor.Conductor(self._conf)
        self._conductor.start()

    def stop(self, graceful: bool = False) -> None:  # noqa: ARG002
        """Stop the conductor, always gracefully; the launcher's ``graceful_shutdown_timeout`` bounds it."""
        if self._conductor is not None:
            self._conductor.stop()

    def wait(self) -> None:
        """Wait until the conductor has stopped."""
        if self._conductor is not None:
            self._conductor.wait()

    def reset(self) -> None:
        """Ignore SIGHUP: options are read at the start only."""


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal ends the process; return the exit status."""
    conf = cfg.CONF
    log.register_options(conf)
    opts.register(conf, "conductor", "openstack", "messaging", "kubernetes", "port_pool")
    # The apiserver's audit log has a line for each request; it is not repeated here.
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), "httpx=WARN", "httpx2=WARN", "httpcore2=WARN"])
    conf(arguments, project="hypernetes", prog="hypernetes-conductor")
    log.setup(conf, "hypernetes")
    launcher = service.launch(conf, ConductorService(conf), workers=1)
    return int(launcher.wait() or 0)


if __name__ == "__main__":
    sys.exit(main())
