# SPDX-License-Identifier: Apache-2.0
"""One CSI driver, put together; the only module that knows all of its parts."""

from pathlib import Path

import grpc
from oslo_config import cfg

from hypernetes.csi import controller
from hypernetes.csi import identity
from hypernetes.csi import provisioning
from hypernetes.csi import server
from hypernetes.db import api as db_api
from hypernetes.kubernetes import kubeconfig
from hypernetes.model import ids
from hypernetes.openstack import cloud


def start(conf: cfg.ConfigOpts) -> grpc.Server:
    """Start serving with the configuration's database, cloud and cluster.

    :raises cfg.RequiredOptError: when no cluster is named.
    :raises kubeconfig.KubeconfigUnusable: when the kubeconfig cannot be used.
    """
    options = conf.csi
    if not options.cluster_id:
        raise cfg.RequiredOptError("cluster_id", cfg.OptGroup("csi"))
    provisioner = provisioning.Provisioner(
        db_api.Database(conf),
        cloud.Cloud(conf),
        kubeconfig.load(Path(options.kubeconfig), timeout=conf.kubernetes.request_timeout),
        ids.ClusterId(options.cluster_id),
        options.wait,
    )
    services = {
        identity.SERVICE: identity.methods(),
        controller.SERVICE: controller.Controller(provisioner).methods(),
    }
    return server.serve(Path(options.socket), services, options.workers)
