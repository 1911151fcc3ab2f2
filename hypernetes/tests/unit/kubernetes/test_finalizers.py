# SPDX-License-Identifier: Apache-2.0
"""What blocks the deletion of a namespace, with an apiserver that plays back answers."""

from typing import Any
from typing import cast

import testtools

from hypernetes.kubernetes import finalizers
from hypernetes.model import errors

LISTED = {
    "/apis": {"groups": [{"preferredVersion": {"groupVersion": "apps/v1"}}]},
    "/api/v1": {
        "resources": [
            {"name": "configmaps", "namespaced": True, "verbs": ["get", "list", "patch"]},
            {"name": "pods/log", "namespaced": True, "verbs": ["get", "list", "patch"]},
            {"name": "nodes", "namespaced": False, "verbs": ["list", "patch"]},
            {"name": "bindings", "namespaced": True, "verbs": ["create"]},
            {"name": "persistentvolumeclaims", "namespaced": True, "verbs": ["list", "patch"]},
        ]
    },
    "/apis/apps/v1": {"resources": [{"name": "deployments", "namespaced": True, "verbs": ["list", "patch"]}]},
}


def metadata(name: str, *names: str, deleted: bool = True) -> dict[str, Any]:
    """Return an item with finalizers."""
    made: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "finalizers": list(names)}
    return {"metadata": made | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})}


class Client:
    """Plays back answers by path, one page at a time."""

    def __init__(self, **pages: list[list[dict[str, Any]]]) -> None:
        self.pages = pages
        self.sent: list[tuple[str, str, Any]] = []
        self.silent: str | None = None

    def request(self, method: str, path: str, **options: Any) -> Any:
        if method != "GET":
            self.sent.append((method, path, options))
            return {}
        if path == self.silent:
            raise errors.Unavailable(service="Kubernetes", reason="it answered 503")
        if path in LISTED:
            return LISTED[path]
        pages = self.pages.get(path.rpartition("/")[2], [[]])
        number = int(options["parameters"].get("continue", "0"))
        following = {"continue": str(number + 1)} if number + 1 < len(pages) else {}
        return {"items": pages[number], "metadata": following}


class FinalizersTest(testtools.TestCase):
    def find(self, client: Client) -> list[finalizers.BlockedObject]:
        return finalizers.blocked_objects(cast(Any, client), "web")

    def test_only_objects_that_are_deleted_and_held_are_found_on_every_page_of_every_kind(self) -> None:
        found = self.find(
            Client(
                configmaps=[
                    [metadata("a", "x"), metadata("b")],
                    [metadata("c", "x", deleted=False), metadata("d", "y")],
                ],
                deployments=[[metadata("e", "z")]],
                nodes=[[metadata("f", "x")]],
            )
        )
        paths = [
            "/api/v1/namespaces/web/configmaps/a",
            "/api/v1/namespaces/web/configmaps/d",
            "/apis/apps/v1/namespaces/web/deployments/e",
        ]
        self.assertEqual(paths, [item.path for item in found])
        self.assertEqual("configmaps/a (x)", str(found[0]))

    def test_an_aggregated_api_that_does_not_answer_keeps_no_others_finalizers(self) -> None:
        held = {"configmaps": [[metadata("a", "x")]], "deployments": [[metadata("e", "z")]]}
        for silent in ("/apis/apps/v1", "/apis/apps/v1/namespaces/web/deployments"):
            client = Client(**cast(Any, held))
            client.silent = silent
            self.assertEqual(["configmaps/a (x)"], [str(item) for item in self.find(client)])

    def test_an_apiserver_that_does_not_answer_is_unavailable(self) -> None:
        for silent in ("/api/v1", "/apis", "/api/v1/namespaces/web/configmaps"):
            client = Client()
            client.silent = silent
            self.assertRaises(errors.Unavailable, self.find, client)

    def test_a_removal_names_the_uid_and_leaves_what_kubernetes_controls(self) -> None:
        protection = "kubernetes.io/pvc-protection"
        for item, left in (
            ({"configmaps": [[metadata("a", "x", protection)]]}, None),
            ({"persistentvolumeclaims": [[metadata("a", "x", protection)]]}, [protection]),
        ):
            client = Client(**cast(Any, item))
            (blocked,) = self.find(client)
            finalizers.remove_finalizers(cast(Any, client), blocked)
            ((method, path, options),) = client.sent
            self.assertEqual(("PATCH", blocked.path), (method, path))
            self.assertEqual({"metadata": {"uid": "uid-a", "finalizers": left}}, options["body"])
            self.assertEqual("application/merge-patch+json", options["content_type"])
