# SPDX-License-Identifier: Apache-2.0
"""``hypernetes-csi``: the CSI driver of one cluster, which csi-provisioner calls."""

import signal
import sys
import threading
from pathlib import Path

from oslo_config import cfg
from oslo_log import log

from hypernetes.conf import opts
from hypernetes.csi import service

LOG = log.getLogger(__name__)

_GRACE_SECONDS = 10.0
"""How long running calls may take to end; one that is cut off is repeated by its caller."""


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal ends the process; return the exit status."""
    conf = cfg.CONF
    log.register_options(conf)
    opts.register(conf, "csi", "openstack", "kubernetes")
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), "httpx=WARN", "httpx2=WARN", "httpcore2=WARN"])
    conf(arguments, project="hypernetes", prog="hypernetes-csi")
    log.setup(conf, "hypernetes")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = service.start(conf)
    LOG.info("The CSI driver serves cluster %s at %s", conf.csi.cluster_id, Path(conf.csi.socket))
    stopped.wait()
    server.stop(_GRACE_SECONDS).wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
