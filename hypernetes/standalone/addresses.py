# SPDX-License-Identifier: Apache-2.0
"""Where everything listens: two bridges of our own, default ports, addresses from documentation ranges of RFC 5737.

The bridges' addresses are in no routing table but this machine's, so nothing here is reachable from elsewhere.
"""

BRIDGE = "hn0"
CONTROL = "198.51.100.1"
INTERNAL = "127.51.100.1"
"""Of the services that no node needs: nodes cannot reach it, and Debian's own services listen on 127.0.0.1."""
PREFIX_LENGTH = 24
NODES = {f"node{number}": f"198.51.100.{10 + number}" for number in (1, 2, 3)}
"""Every node that `up --nodes` may ask for; the first is the cluster's control node."""

UNDERLAY = "hn1"
"""The bridge that carries the nodes' tunnels and nothing else."""
TUNNELS = {name: f"203.0.113.{10 + number}" for number, name in enumerate(NODES, 1)}

MARIADB_PORT = 3306
RABBITMQ_PORT = 5671
RABBITMQ_MANAGEMENT_PORT = 15671
MEMCACHED_PORT = 11211
KEYSTONE_PORT = 5000
NEUTRON_PORT = 9696
OVN_SOUTHBOUND_PORT = 6642
REGISTRY_PORT = 5001
API_PORT = 9518
WEBHOOK_PORT = 9519
HORIZON_PORT = 8443
CINDER_PORT = 8776
CEPH_MONITOR_PORT = 3300
CEPH_DAEMON_PORTS = range(6800, 6816)

KEYSTONE_URL = f"http://{CONTROL}:{KEYSTONE_PORT}/v3"
NEUTRON_URL = f"http://{CONTROL}:{NEUTRON_PORT}"
RABBITMQ_MANAGEMENT_URL = f"https://{INTERNAL}:{RABBITMQ_MANAGEMENT_PORT}"
MEMCACHED = f"{INTERNAL}:{MEMCACHED_PORT}"
REGISTRY = f"{CONTROL}:{REGISTRY_PORT}"
API_URL = f"https://{CONTROL}:{API_PORT}"
WEBHOOK_URL = f"https://{CONTROL}:{WEBHOOK_PORT}"
HORIZON_URL = f"https://{CONTROL}:{HORIZON_PORT}"
CINDER_URL = f"https://{CONTROL}:{CINDER_PORT}"

REGION = "RegionOne"
