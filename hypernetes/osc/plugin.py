# SPDX-License-Identifier: Apache-2.0
"""Registers the service with ``openstack``: the option for its API version, and its client."""

import argparse
from typing import Any

from osc_lib import utils

from hypernetes.sdk import service

DEFAULT_API_VERSION = "1"
API_VERSION_OPTION = "os_kube_api_version"
API_NAME = "kube"
API_VERSIONS = ("1",)


def make_client(instance: Any) -> Any:
    """Return the SDK's proxy for the cloud that ``openstack`` was started for."""
    connection = instance.sdk_connection
    service.register(connection)
    return connection.kubernetes


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the global option."""
    parser.add_argument(
        "--os-kube-api-version",
        metavar="<kube-api-version>",
        default=utils.env("OS_KUBE_API_VERSION"),
        help=f"Hypernetes API version, default={DEFAULT_API_VERSION} (Env: OS_KUBE_API_VERSION)",
    )
    return parser
