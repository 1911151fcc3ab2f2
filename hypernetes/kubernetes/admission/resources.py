# SPDX-License-Identifier: Apache-2.0
"""The rules for kinds other than pods: Services, namespaces, quotas, Secrets, subresources of pods."""

import ipaddress

from lightkube.core import resource

from hypernetes.kubernetes.admission import policy
from hypernetes.model import labels

RESERVED_SERVICE_ADDRESSES = 16
"""Number of the lowest addresses of the Services' range that no tenant may ask for: kubeadm and kubelet expect the
apiserver and the cluster's DNS there, and the apiserver itself hands out none of them unasked (KEP-3070)."""

SERVICES = (
    policy.Rule(
        "node-ports",
        'object.spec.?type.orValue("ClusterIP") != "NodePort" && '
        "object.spec.?ports.orValue([]).all(p, p.?nodePort.orValue(0) == 0) && "
        "object.spec.?healthCheckNodePort.orValue(0) == 0",
        "node ports are not allowed: nodes carry no tenant's traffic. Use type ClusterIP or LoadBalancer.",
    ),
    policy.Rule(
        "load-balancer-node-ports",
        'object.spec.?type.orValue("ClusterIP") != "LoadBalancer" || '
        "!object.spec.?allocateLoadBalancerNodePorts.orValue(true)",
        "allocateLoadBalancerNodePorts must be false: load balancers reach pods directly.",
    ),
    policy.Rule(
        "external-ips",
        "object.spec.?externalIPs.orValue([]).size() == 0",
        "externalIPs are not allowed: they would take over other people's addresses. Use type LoadBalancer.",
    ),
)

SECRETS = (
    policy.Rule(
        "long-lived-tokens",
        'object.?type.orValue("Opaque") != "kubernetes.io/service-account-token"',
        "service account tokens without an expiry are not allowed: use kubectl create token or a projected volume.",
    ),
)

BINDINGS = (policy.Rule("binding", "false", "only the cluster's scheduler may bind a pod to a node."),)

RESIZES = (
    policy.Rule(
        "resize",
        "false",
        "a virtual machine gets its size when it starts: create the pod again with the new size.",
    ),
)

QUOTAS = (
    policy.Rule(
        "quotas",
        "false",
        "quotas and limits of a namespace are set by the operator.",
    ),
)

NETWORK_POLICIES = (
    policy.Rule(
        "network-policies",
        "false",
        "NetworkPolicies are not enforced yet, so this one would only seem to protect. "
        "Projects are always kept apart; use a network of its own for a namespace.",
    ),
)


def service_addresses(service_subnet: str) -> policy.Rule:
    """Return the rule that keeps tenants from asking for the cluster's own Service addresses.

    :param service_subnet: the range of the Services' addresses; for two address families, both with a comma between.
    """
    networks = [ipaddress.ip_network(subnet.strip()) for subnet in service_subnet.split(",")]
    ranges = tuple(_lowest(network) for network in networks)
    # The apiserver allocates the network's own address in a dry run, and to no Service (ipallocator's
    # allocateNextService and allocateService).
    inside = " || ".join(
        f'(cidr("{lowest}").containsIP(a) && ip(a) != ip("{network.network_address}"))'
        for network, lowest in zip(networks, ranges, strict=True)
    )
    return policy.Rule(
        "service-addresses",
        '(object.spec.?clusterIPs.orValue([]).map(a, a) + [object.spec.?clusterIP.orValue("")])'
        f".all(a, !isIP(a) || !({inside}))",
        f"the addresses in {' and '.join(ranges)} are reserved for the cluster's own Services: leave clusterIP out or "
        "take a higher one.",
    )


def _lowest(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    bits = (RESERVED_SERVICE_ADDRESSES - 1).bit_length()
    length = max(network.prefixlen, network.max_prefixlen - bits)
    return f"{network.network_address}/{length}"


_CREATED = policy.Rule(
    "namespaces",
    'request.operation == "UPDATE"',
    "namespaces are made and deleted with `openstack kube namespace`, so that each has its network.",
)


def _guarded(field: str) -> str:
    """Return CEL that is true if no guarded key of a map in the metadata was added, changed or removed."""
    new = f"object.metadata.?{field}.orValue({{}})"
    old = f"oldObject.metadata.?{field}.orValue({{}})"
    is_guarded = "(" + " || ".join(f'k.startsWith("{prefix}")' for prefix in labels.RESERVED_PREFIXES) + ")"
    return (
        f"{new}.all(k, !{is_guarded} || (k in {old} && {old}[k] == {new}[k])) && "
        f"{old}.all(k, !{is_guarded} || k in {new})"
    )


NAMESPACES = (
    policy.Rule(
        "namespace-labels",
        f"{_guarded('labels')} && {_guarded('annotations')}",
        f"labels and annotations that begin with {' or '.join(labels.RESERVED_PREFIXES)} belong to the service; "
        "they say whose the namespace is.",
    ),
    policy.Rule(
        "namespace-finalizers",
        "object.metadata.?finalizers.orValue([]) == oldObject.metadata.?finalizers.orValue([]) && "
        "object.spec.?finalizers.orValue([]) == oldObject.spec.?finalizers.orValue([]) && "
        "object.metadata.?ownerReferences.orValue([]) == oldObject.metadata.?ownerReferences.orValue([])",
        "finalizers and owners of a namespace may not be changed; delete it with `openstack kube namespace delete`.",
    ),
)

_SUBRESOURCES = (
    policy.Rule("namespace-subresources", "false", "status and finalize of a namespace belong to the cluster."),
)


def policies(service_subnet: str) -> list[resource.Resource]:
    """Return every policy that is neither about pods nor about access.

    :param service_subnet: the range of the Services' addresses.
    """
    exempt = (policy.exempting_the_cluster_itself(),)
    made: list[resource.Resource] = []
    # Services of every writer, controllers included: no component of the cluster needs a node port.
    services = (policy.Target("", ("services",)),)
    made += policy.validating("hypernetes-services", services, (*SERVICES, service_addresses(service_subnet)))
    made += policy.mutating(
        "hypernetes-load-balancers",
        services,
        policy.configuration("Object{spec: Object.spec{allocateLoadBalancerNodePorts: false}}"),
        conditions=(("is-load-balancer", 'object.spec.?type.orValue("ClusterIP") == "LoadBalancer"'),),
    )
    made += policy.validating("hypernetes-secrets", (policy.Target("", ("secrets",), ("CREATE",)),), SECRETS)
    made += policy.validating(
        "hypernetes-bindings",
        (policy.Target("", ("bindings", "pods/binding"), ("CREATE",)),),
        BINDINGS,
        conditions=exempt,
    )
    made += policy.validating("hypernetes-resizes", (policy.Target("", ("pods/resize",), ("UPDATE",)),), RESIZES)
    everything = ("CREATE", "UPDATE", "DELETE")
    made += policy.validating(
        "hypernetes-quotas",
        (policy.Target("", ("resourcequotas", "limitranges"), everything),),
        QUOTAS,
        conditions=exempt,
    )
    made += policy.validating(
        "hypernetes-network-policies",
        (policy.Target("networking.k8s.io", ("networkpolicies",)),),
        NETWORK_POLICIES,
    )
    made += policy.validating(
        "hypernetes-namespaces", (policy.Target("", ("namespaces",), ("UPDATE",)),), NAMESPACES, conditions=exempt
    )
    made += policy.validating(
        "hypernetes-namespace-creation",
        (policy.Target("", ("namespaces",), ("CREATE", "DELETE")),),
        (_CREATED,),
        conditions=exempt,
    )
    made += policy.validating(
        "hypernetes-namespace-subresources",
        (policy.Target("", ("namespaces/finalize", "namespaces/status"), ("UPDATE",)),),
        _SUBRESOURCES,
        conditions=exempt,
    )
    return made
