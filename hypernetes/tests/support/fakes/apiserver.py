# SPDX-License-Identifier: Apache-2.0
"""An apiserver that keeps its objects in memory."""

import itertools
import uuid
from typing import Any

from lightkube.models import meta_v1 as meta
from lightkube.models import rbac_v1 as rbac_models
from lightkube.resources import core_v1 as core
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.model import errors
from hypernetes.model import labels
from hypernetes.tests.support.fakes import fate as fates


class FakeApiserver:
    """Stands for :class:`hypernetes.kubernetes.client.ClusterClient`: objects by kind, namespace and name."""

    def __init__(self, fate: fates.Fate) -> None:
        self.fate = fate
        self.objects: dict[tuple[type, str | None, str], Any] = {}
        self.ready = True
        self.makes_service_accounts = True
        """Whether the controller that makes one in each namespace has caught up."""
        self.blocked: dict[str, dict[str, Any]] = {}
        """Metadata of objects that finalizers keep, by name."""
        self.policies_in_force = True
        self.cordoned_by_kubectl: set[str] = set()
        self.approved: list[str] = []
        """Names of certificate signing requests that were approved."""
        self.evicted: list[str] = []
        self.unevictable: set[str] = set()
        """Names of pods whose disruption budget forbids an eviction."""
        self.database_bytes = 1 << 20
        self._numbers = itertools.count(1)

    def is_ready(self) -> bool:
        return self.ready

    def dry_run_create(self, item: Any) -> str | None:
        """What the admission policies would say, once they are in force."""
        in_force = self.policies_in_force and item.spec.hostNetwork
        return "hypernetes/host-namespaces: no" if in_force else None

    def request(self, method: str, path: str, *, body: Any = None, **options: Any) -> Any:
        """Serve ConfigMaps that are being deleted and have finalizers, evictions, approvals of certificates, and
        patches of role bindings' subjects.
        """
        if path == "/apis":
            return {"groups": []}
        if path == "/api/v1":
            return {"resources": [{"name": "configmaps", "namespaced": True, "verbs": ["list", "patch"]}]}
        if path.endswith("/eviction"):
            *_, namespace, _, name, _ = path.split("/")
            if name in self.unevictable:
                raise errors.Unavailable(service="The cluster's apiserver", reason="a disruption budget forbids it")
            self.evicted.append(f"{namespace}/{name}")
            return {}
        if path.endswith("/approval"):
            self.approved.append(path.split("/")[-2])
            return {}
        if method == "PATCH" and "/rolebindings/" in path:
            *_, namespace, _, name = path.split("/")
            binding = self.objects[rbac.RoleBinding, namespace, name]
            binding.subjects = [rbac_models.Subject.from_dict(subject) for subject in body["subjects"]]
            return {}
        if method == "PATCH":
            self.blocked[path.rpartition("/")[2]]["finalizers"] = body["metadata"]["finalizers"]
            return {}
        return {"items": [{"metadata": metadata} for metadata in self.blocked.values()]}

    def find(self, kind: type, name: str, namespace: str | None = None) -> Any:
        return self.objects.get((kind, namespace, name))

    def list(self, kind: type, namespace: str | None = None, labels: Any = None) -> list[Any]:
        wanted = dict(labels or {}).items()
        found = [item for (of, _, _), item in self.objects.items() if of is kind]
        return [item for item in found if wanted <= dict(item.metadata.labels or {}).items()]

    def read_text(self, path: str) -> str:
        """Serve the metrics."""
        return f'apiserver_storage_size_bytes{{storage_cluster_id="etcd-0"}} {self.database_bytes:g}\n'

    def create(self, item: Any) -> Any:
        with self.fate.decides():
            key = (type(item), item.metadata.namespace, item.metadata.name)
            if key in self.objects:
                raise errors.NameTaken(kind="object", name=item.metadata.name)
            item.metadata.uid = str(uuid.UUID(int=next(self._numbers)))
            self.objects[key] = item
            if isinstance(item, core.Namespace) and self.makes_service_accounts:
                self.make_service_account(key[2])
        return item

    def make_service_account(self, namespace: str) -> None:
        """Do what Kubernetes' controller does some time after a namespace was created."""
        made = core.ServiceAccount(metadata=meta.ObjectMeta(name="default", namespace=namespace))
        self.objects[core.ServiceAccount, namespace, "default"] = made

    def apply(self, item: Any) -> Any:
        with self.fate.decides():
            if isinstance(item, core.Node):
                return self._apply_node(item)
            if isinstance(item, core.Namespace):
                return self._apply_namespace(item)
            self.objects[type(item), item.metadata.namespace, item.metadata.name] = item
        return item

    def _apply_node(self, item: Any) -> Any:
        """Keep what others have set: the fields of this manager are those of its last request."""
        name = str(item.metadata.name)
        found = self.objects[core.Node, None, name]
        if item.metadata.uid != found.metadata.uid:
            raise errors.Unavailable(service="The cluster's apiserver", reason="uid mismatch")
        found.metadata.annotations = dict(item.metadata.annotations or {})
        applied = item.spec is not None and item.spec.unschedulable
        found.spec.unschedulable = applied or name in self.cordoned_by_kubectl
        return found

    def _apply_namespace(self, item: Any) -> Any:
        """Keep the labels with which it was created."""
        found = self.objects[core.Namespace, None, str(item.metadata.name)]
        if item.metadata.uid != found.metadata.uid:
            raise errors.Unavailable(service="The cluster's apiserver", reason="uid mismatch")
        created = {key: value for key, value in found.metadata.labels.items() if key.startswith(labels.PREFIX)}
        found.metadata.labels = {**created, **(item.metadata.labels or {})}
        return found

    def delete(self, kind: type, name: str, namespace: str | None = None, *, uid: str | None = None) -> bool:
        with self.fate.decides():
            self.objects.pop((kind, namespace, name), None)
            if kind is core.Namespace:
                self.objects = {key: item for key, item in self.objects.items() if key[1] != name}
        return True


class FakeApiservers:
    def __init__(self, fate: fates.Fate) -> None:
        self.apiserver = FakeApiserver(fate)

    def for_cluster(self, cluster: object) -> FakeApiserver:
        return self.apiserver

    def forget(self, cluster_id: str) -> None:
        pass
