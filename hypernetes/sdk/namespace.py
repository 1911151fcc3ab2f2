# SPDX-License-Identifier: Apache-2.0
"""Namespaces."""

from openstack import resource

from hypernetes.sdk import base


class Namespace(base.Resource):
    """A namespace of a project, with its network."""

    resources_key = "namespaces"
    base_path = "/namespaces"
    _query_mapping = base.QueryParameters("name", "cluster_id", "all_projects")
    allow_commit = True
    commit_method = "PATCH"

    cluster = resource.Body("cluster")
    """Name or ID of a cluster; in a request only."""
    cluster_id = resource.Body("cluster_id")
    project_id = resource.Body("project_id")
    description = resource.Body("description")
    labels = resource.Body("labels", type=dict)
    """Labels of the Kubernetes namespace. In an update those that are not named are kept, and None removes one."""
    network_id = resource.Body("network_id")
    subnet_id = resource.Body("subnet_id")
    subnet_cidr = resource.Body("subnet_cidr")
    router_id = resource.Body("router_id")
    security_group_id = resource.Body("security_group_id")
