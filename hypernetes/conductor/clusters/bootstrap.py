# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs of bootstrap phases on a control node: pure functions of records and configuration."""

from pathlib import Path

from oslo_config import cfg

from hypernetes.conductor import apiservers
from hypernetes.conductor.clusters import keys
from hypernetes.kubernetes.bootstrap import apiserver_files
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.kubernetes.objects import write_pace
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import names
from hypernetes.model import records

SIGN_CLIENT = "sign-client"
"""Name of the phase in which the control node signs the conductor's client certificate."""

OUTPUTS = (order_names.API_ADDRESS, order_names.CA_CERTIFICATE, order_names.CLIENT_CERTIFICATE)
"""Outputs of phase ``sign-client``, by the names of the record's fields."""


def inputs(conf: cfg.ConfigOpts, phase: phases.Phase, cluster: records.Cluster, node: records.Node) -> dict[str, str]:
    """Return the rendered files and parameters of a phase; none of them is secret.

    :raises errors.Conflict: the node has not reported its address yet.
    """
    if not (phase.kubeadm or phase.name in ("prepare", phases.RENEW.name)):
        return {}
    rendered = {order_names.KUBEADM_FILE: kubeadm.configuration(spec(conf, cluster, node))}
    if phase.name in ("prepare", phases.RENEW.name):
        # On renewal as well: the apiserver's arguments may name files that an earlier release did not write.
        rendered |= apiserver_files.control_node_files(*_webhook(conf, cluster))
    if phase.name == "prepare":
        rendered |= apiservers.name_inputs(conf, cluster, node.address)
    return rendered


def spec(conf: cfg.ConfigOpts, cluster: records.Cluster, node: records.Node) -> kubeadm.ClusterSpec:
    """Return kubeadm's view of a cluster's control node."""
    if node.address is None:
        raise errors.Conflict(kind=kinds.Kind.NODE, id=node.id, reason="it has not reported its address yet")
    options = conf.kubernetes
    return kubeadm.ClusterSpec(
        cluster_name=cluster.name,
        node_name=node.name,
        node_address=node.address,
        endpoint_name=cluster.endpoint,
        kubernetes_version=cluster.kubernetes_version,
        service_subnet=cluster.service_subnet,
        cgroup_root=kubeadm.cgroup_root(node.name),
        extra_certificate_names=tuple(options.extra_certificate_names),
        eviction=dict(options.eviction_hard),
        etcd_quota=options.etcd_quota,
        image_repository=options.image_repository,
        ignored_preflight_checks=tuple(options.ignored_preflight_checks),
        taint_control_node=options.taint_control_nodes,
        certificate_validity=options.certificate_validity,
    )


def signing_inputs(conf: cfg.ConfigOpts, private_key_pem: str) -> dict[str, str]:
    """Return the inputs of phase ``sign-client``: a CSR, which is public, and how long the certificate is valid."""
    return {
        order_names.CSR_FILE: keys.signing_request(private_key_pem),
        order_names.VALIDITY_SECONDS: str(conf.kubernetes.certificate_validity),
    }


def signed(
    conf: cfg.ConfigOpts, cluster: records.Cluster, private_key_pem: str, outputs: dict[str, str]
) -> dict[str, str]:
    """Return the record's fields from the outputs of ``sign-client``.

    The apiserver's address is that of its name where the operator's DNS has it.

    :raises errors.BadRequest: an output is missing, or the certificate is not for the conductor's key.
    """
    missing = [name for name in OUTPUTS if not outputs.get(name)]
    if missing:
        raise errors.BadRequest(reason=f"the node did not answer {', '.join(missing)}")
    if not outputs[order_names.API_ADDRESS].startswith("https://"):
        raise errors.BadRequest(reason="the apiserver's address is not an https URL")
    if not keys.certifies(outputs[order_names.CLIENT_CERTIFICATE], private_key_pem):
        raise errors.BadRequest(reason="the certificate the node signed is not for the conductor's key")
    named = (
        {order_names.API_ADDRESS: apiservers.url(cluster)} if cluster.endpoint and conf.kubernetes.api_domain else {}
    )
    return {name: outputs[name] for name in OUTPUTS} | named


def write_pace_endpoint(conf: cfg.ConfigOpts, cluster: records.Cluster) -> write_pace.Endpoint:
    """Return where the cluster's apiserver has tenants' writes paced.

    :raises errors.Refused: the conductor's configuration does not say where the webhook is.
    """
    url, ca_pem = _webhook_base(conf)
    return write_pace.Endpoint(f"{url}{names.write_pace_path(cluster.id)}", ca_pem)


def _webhook(conf: cfg.ConfigOpts, cluster: records.Cluster) -> tuple[str, str]:
    url, ca_pem = _webhook_base(conf)
    return f"{url}{names.token_review_path(cluster.id)}", ca_pem


def _webhook_base(conf: cfg.ConfigOpts) -> tuple[str, str]:
    options = conf.kubernetes
    if not options.webhook_url or not options.webhook_ca_file:
        reason = "[kubernetes] webhook_url and webhook_ca_file are not set in the conductor's configuration"
        raise errors.Refused(service="The conductor", reason=reason)
    try:
        ca_pem = Path(options.webhook_ca_file).read_text(encoding="ascii")
    except OSError as error:
        reason = f"the file of [kubernetes] webhook_ca_file cannot be read ({error.strerror})"
        raise errors.Refused(service="The conductor", reason=reason) from error
    return options.webhook_url.rstrip("/"), ca_pem
