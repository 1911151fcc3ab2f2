# SPDX-License-Identifier: Apache-2.0
"""Paths on a node; the only module of the agent that spells one."""

from dataclasses import dataclass
from pathlib import Path
from pathlib import PurePath

from oslo_config import cfg

from hypernetes.kubernetes.bootstrap import apiserver_files
from hypernetes.kubernetes.bootstrap import order_names


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of a node. Those of Kubernetes and containerd are at their conventional places."""

    distribution: Path
    state: Path
    run: Path
    logs: Path
    programs: Path
    """Directory of the supervisor's program files."""
    kubernetes: Path
    kubelet: Path = Path("/var/lib/kubelet")
    etcd: Path = Path("/var/lib/etcd")
    pod_logs: Path = Path("/var/log/pods")
    container_logs: Path = Path("/var/log/containers")
    containerd: Path = Path("/etc/containerd")
    containerd_root: Path = Path("/var/lib/containerd")
    containerd_run: Path = Path("/run/containerd")
    cni_configuration: Path = Path("/etc/cni/net.d")
    cni_programs: Path = Path("/opt/cni/bin")
    runtime: Path = Path("/etc/hypernetes/runtime.json")
    audit_logs: Path = Path(apiserver_files.AUDIT_LOG_DIRECTORY)
    hosts: Path = Path("/etc/hosts")

    @property
    def binaries(self) -> Path:
        """The distribution's executables."""
        return self.distribution / "bin"

    @property
    def guest(self) -> Path:
        """Kernel, initramfs and root of the virtual machines."""
        return self.distribution / "guest"

    @property
    def cluster_files(self) -> Path:
        """Hypernetes' files that the apiserver mounts read-only: webhook, audit policy, encryption."""
        return self.kubernetes / "hypernetes"

    @property
    def kubeadm_configuration(self) -> Path:
        """The configuration every kubeadm phase is given."""
        return self.cluster_files / order_names.KUBEADM_FILE

    @property
    def encryption_configuration(self) -> Path:
        """Key with which etcd's Secrets are encrypted; made on the node and never sent."""
        return self.cluster_files / PurePath(apiserver_files.ENCRYPTION).name

    @property
    def patches(self) -> Path:
        """Directory of kubeadm's patches."""
        return self.cluster_files / "patches"

    @property
    def kubelet_key(self) -> Path:
        """Key of the certificate with which a worker's kubelet joins; the kubelet makes the later ones itself."""
        return self.kubelet / "pki" / "hypernetes-join.key"

    @property
    def kubelet_client(self) -> Path:
        """Link to the kubelet's current certificate and key, where the kubelet keeps them."""
        return self.kubelet / "pki" / "kubelet-client-current.pem"

    @property
    def system_runc(self) -> Path:
        """Program that containerd's shim for the system's pods calls as runc."""
        return self.state / "system-runc"

    @property
    def kubelet_script(self) -> Path:
        """Script that the service manager runs as kubelet."""
        return self.state / "kubelet.sh"

    @property
    def cni_plugin(self) -> Path:
        """Executable that containerd runs for each sandbox."""
        return self.cni_programs / "hypernetes-cni"

    @property
    def cni_network(self) -> Path:
        """Network configuration list that names the plugin."""
        return self.cni_configuration / "10-hypernetes.conflist"

    @property
    def ca_files(self) -> tuple[Path, Path]:
        """Certificate and key of the cluster's CA."""
        return self.kubernetes / "pki" / "ca.crt", self.kubernetes / "pki" / "ca.key"

    def log(self, program: str) -> Path:
        """Return the file that a program's output goes to."""
        return self.logs / f"{program}.log"

    @property
    def containerd_socket(self) -> Path:
        """Where kubelet and kubeadm find containerd."""
        return self.containerd_run / "containerd.sock"

    @property
    def agent_socket(self) -> Path:
        """Where the CNI executable finds the agent."""
        return self.run / "agent.sock"

    @property
    def templates_socket(self) -> Path:
        """Where the shims find the process that keeps the templates of virtual machines."""
        return self.run / "templates.sock"

    @property
    def sandbox_records(self) -> Path:
        """Records that the shims read, one per sandbox."""
        return self.run / "sandboxes"

    @property
    def service_tables(self) -> Path:
        """Tables of Services that the shims read, one per namespace."""
        return self.run / "services"

    @property
    def kubelet_configuration(self) -> Path:
        """The kubelet's kubeconfig."""
        return self.kubernetes / "kubelet.conf"

    @property
    def machines(self) -> Path:
        """The shims' directories, one per sandbox, with what they know of its machine."""
        return self.run / "vm"

    @property
    def sandboxes(self) -> Path:
        """The agent's own, persistent records, one per sandbox."""
        return self.state / "sandboxes"

    @property
    def search_path(self) -> str:
        """PATH of everything the agent starts."""
        return f"{self.binaries}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def from_conf(conf: cfg.ConfigOpts) -> Layout:
    """Return the layout that the options describe."""
    return Layout(
        distribution=Path(conf.node.dist_dir),
        state=Path(conf.agent.state_dir),
        run=Path(conf.agent.run_dir),
        logs=Path(conf.node.log_dir),
        programs=Path(conf.node.supervisor_dir),
        kubernetes=Path(conf.node.kubernetes_dir),
    )
