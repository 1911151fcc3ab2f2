# SPDX-License-Identifier: Apache-2.0
"""What to authenticate with: the ``OS_*`` variables that every OpenStack client reads."""

from collections.abc import Mapping
from typing import Any


class LoginFailed(Exception):
    """No token can be had; the text names cause and remedy and holds nothing secret."""


def auth_url(environment: Mapping[str, str]) -> str:
    """Return the URL of Keystone's version 3.

    :raises LoginFailed: when it is missing or not a URL.
    """
    url = _require(environment, "OS_AUTH_URL").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise LoginFailed("OS_AUTH_URL is not an http or https URL")
    return url if url.endswith("/v3") else f"{url}/v3"


def auth_request(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of ``POST /v3/auth/tokens``: an application credential, else a token, else a password.

    :raises LoginFailed: when variables are missing; the text names them.
    """
    get = environment.get
    if get("OS_APPLICATION_CREDENTIAL_ID") or get("OS_APPLICATION_CREDENTIAL_NAME"):
        secret = _require(environment, "OS_APPLICATION_CREDENTIAL_SECRET")
        identifier = get("OS_APPLICATION_CREDENTIAL_ID")
        named: dict[str, Any] = {"id": identifier} if identifier else {
            "name": get("OS_APPLICATION_CREDENTIAL_NAME"), "user": _user(environment)
        }  # fmt: skip
        # An application credential has its project; Keystone refuses a scope beside it.
        return _auth("application_credential", {**named, "secret": secret}, None)
    if get("OS_TOKEN"):
        return _auth("token", {"id": get("OS_TOKEN")}, _scope(environment))
    scope = _scope(environment)
    if scope is None:
        raise LoginFailed("OS_PROJECT_ID or OS_PROJECT_NAME is missing; set it to the project to act in")
    user = {**_user(environment), "password": _require(environment, "OS_PASSWORD")}
    return _auth("password", {"user": user}, scope)


def secret_of(request: Mapping[str, Any]) -> str:
    """Return the password or secret in a request that :func:`auth_request` returned; empty if it has none."""
    identity = request["auth"]["identity"]
    (method,) = identity["methods"]
    details = identity[method]
    return str(details.get("secret") or details.get("user", {}).get("password") or "")


def _auth(method: str, details: dict[str, Any], scope: dict[str, Any] | None) -> dict[str, Any]:
    auth: dict[str, Any] = {"identity": {"methods": [method], method: details}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


def _user(environment: Mapping[str, str]) -> dict[str, Any]:
    if environment.get("OS_USER_ID"):
        return {"id": environment["OS_USER_ID"]}
    return {"name": _require(environment, "OS_USERNAME"), "domain": _domain(environment, "USER")}


def _scope(environment: Mapping[str, str]) -> dict[str, Any] | None:
    if environment.get("OS_PROJECT_ID"):
        return {"project": {"id": environment["OS_PROJECT_ID"]}}
    if environment.get("OS_PROJECT_NAME"):
        return {"project": {"name": environment["OS_PROJECT_NAME"], "domain": _domain(environment, "PROJECT")}}
    return None


def _domain(environment: Mapping[str, str], owner: str) -> dict[str, str]:
    for kind in ("ID", "NAME"):
        value = environment.get(f"OS_{owner}_DOMAIN_{kind}") or environment.get(f"OS_DEFAULT_DOMAIN_{kind}")
        if value:
            return {kind.lower(): value}
    raise LoginFailed(f"OS_{owner}_DOMAIN_ID or OS_{owner}_DOMAIN_NAME is missing; set it")


def _require(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise LoginFailed(f"{name} is missing; set it, or write a kubeconfig with `openstack kube config`")
    return value
