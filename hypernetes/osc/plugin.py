# SPDX-License-Identifier: Apache-2.0
"""Makes ``openstack`` know the service: its API version option and its client."""

import argparse
from typing import Any

from openstack import service_description
from osc_lib import utils

from hypernetes.sdk import proxy

DEFAULT_API_VERSION = "1"
API_VERSION_OPTION = "os_kube_api_version"
API_NAME = "kube"
API_VERSIONS = ("1",)


def make_client(instance: Any) -> Any:
    """The SDK proxy for the cloud that ``openstack`` was started for."""
    connection = instance.sdk_connection
    connection.add_service(
        service_description.ServiceDescription(proxy.SERVICE_TYPE, supported_versions={"1": proxy.Proxy})
    )
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
