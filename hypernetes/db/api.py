# SPDX-License-Identifier: Apache-2.0
"""The database as the API and the conductor see it: one repository per aggregate."""

from oslo_config import cfg

from hypernetes.db import transactions
from hypernetes.db.repositories.clusters import Clusters
from hypernetes.db.repositories.leases import Leases
from hypernetes.db.repositories.namespaces import Namespaces
from hypernetes.db.repositories.nodes import Nodes
from hypernetes.db.repositories.port_pools import PortPools
from hypernetes.db.repositories.port_pools import ReadyPorts
from hypernetes.db.repositories.ports import Ports
from hypernetes.db.repositories.projects import Projects
from hypernetes.db.repositories.volumes import Volumes


class Database:
    """Repositories on the database that ``[database] connection`` names. Safe for threads; connects at first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.transactions = transactions.Transactions(conf)
        self.clusters = Clusters(self.transactions)
        self.nodes = Nodes(self.transactions)
        self.namespaces = Namespaces(self.transactions)
        self.ports = Ports(self.transactions)
        self.port_pools = PortPools(self.transactions)
        self.ready_ports = ReadyPorts(self.transactions)
        self.volumes = Volumes(self.transactions)
        self.projects = Projects(self.transactions)
        self.leases = Leases(self.transactions)
