# SPDX-License-Identifier: Apache-2.0
"""All routes of the API. A route without a policy is public."""

from hypernetes import policies
from hypernetes.api.routing import Route
from hypernetes.api.routing import Table
from hypernetes.api.schemas import clusters as cluster_schemas
from hypernetes.api.schemas import common as common_schemas
from hypernetes.api.schemas import namespaces as namespace_schemas
from hypernetes.api.schemas import nodes as node_schemas
from hypernetes.api.schemas import versions as version_schemas
from hypernetes.api.v1 import clusters
from hypernetes.api.v1 import namespaces
from hypernetes.api.v1 import nodes
from hypernetes.api.v1 import versions

ROUTES = (
    Route("GET", "/", versions.index, None, version_schemas.VERSIONS),
    Route("GET", "/v1", versions.show, None, version_schemas.VERSION),
    # clusters
    Route(
        "GET",
        "/v1/clusters",
        clusters.index,
        policies.clusters.LIST,
        cluster_schemas.CLUSTERS,
        query=cluster_schemas.LIST_QUERY,
    ),
    Route(
        "POST",
        "/v1/clusters",
        clusters.create,
        policies.clusters.CREATE,
        cluster_schemas.CLUSTER,
        body=cluster_schemas.CREATE,
        status=202,
    ),
    Route("GET", "/v1/clusters/{id}", clusters.show, policies.clusters.GET, cluster_schemas.CLUSTER),
    Route(
        "DELETE",
        "/v1/clusters/{id}",
        clusters.delete,
        policies.clusters.DELETE,
        query=common_schemas.FORCE_QUERY,
        status=202,
    ),
    Route(
        "POST",
        "/v1/clusters/{id}/nodes",
        clusters.add_node,
        policies.clusters.ADD_NODE,
        node_schemas.NODE,
        body=cluster_schemas.ADD_NODE,
        status=202,
    ),
    Route(
        "DELETE",
        "/v1/clusters/{id}/nodes/{node_id}",
        clusters.remove_node,
        policies.clusters.REMOVE_NODE,
        query=common_schemas.FORCE_QUERY,
        status=202,
    ),
    Route("GET", "/v1/clusters/{id}/health", clusters.health, policies.clusters.GET_HEALTH, cluster_schemas.HEALTH),
    Route(
        "POST", "/v1/clusters/{id}/retry", clusters.retry, policies.clusters.RETRY, cluster_schemas.CLUSTER, status=202
    ),
    # nodes
    Route("GET", "/v1/nodes", nodes.index, policies.nodes.LIST, node_schemas.NODES, query=node_schemas.LIST_QUERY),
    Route(
        "POST",
        "/v1/nodes",
        nodes.create,
        policies.nodes.CREATE,
        node_schemas.CREATED,
        body=node_schemas.CREATE,
        status=201,
    ),
    Route("GET", "/v1/nodes/{id}", nodes.show, policies.nodes.GET, node_schemas.NODE),
    Route("PATCH", "/v1/nodes/{id}", nodes.update, policies.nodes.UPDATE, node_schemas.NODE, body=node_schemas.UPDATE),
    Route("DELETE", "/v1/nodes/{id}", nodes.delete, policies.nodes.DELETE, status=202),
    # An agent has no Keystone token; the one-time secret in the body authorizes the request.
    Route("POST", "/v1/nodes/{id}/enroll", nodes.enroll, None, node_schemas.ENROLLED, body=node_schemas.ENROLL),
    # namespaces
    Route(
        "GET",
        "/v1/namespaces",
        namespaces.index,
        policies.namespaces.LIST,
        namespace_schemas.NAMESPACES,
        query=namespace_schemas.LIST_QUERY,
    ),
    Route(
        "POST",
        "/v1/namespaces",
        namespaces.create,
        policies.namespaces.CREATE,
        namespace_schemas.NAMESPACE,
        body=namespace_schemas.CREATE,
        status=202,
    ),
    Route("GET", "/v1/namespaces/{id}", namespaces.show, policies.namespaces.GET, namespace_schemas.NAMESPACE),
    Route(
        "PATCH",
        "/v1/namespaces/{id}",
        namespaces.update,
        policies.namespaces.UPDATE,
        namespace_schemas.NAMESPACE,
        body=namespace_schemas.UPDATE,
    ),
    Route("DELETE", "/v1/namespaces/{id}", namespaces.delete, policies.namespaces.DELETE, status=202),
)

TABLE = Table(ROUTES)
