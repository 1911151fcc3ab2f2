# SPDX-License-Identifier: Apache-2.0
"""Transactions with Open vSwitch."""

import subprocess

from hypernetes.agent import privileged


@privileged.context.entrypoint
def vsctl(connection: str, timeout: float, arguments: list[str]) -> str:
    """Run one transaction with ovs-vsctl and return what it prints.

    :param timeout: seconds until ovs-vsctl gives up.
    :raises RuntimeError: when it fails or times out; the text ends with what it printed.
    """
    command = ["ovs-vsctl", f"--db={connection}", f"--timeout={max(1, round(timeout))}", "--format=json", *arguments]
    try:
        ended = subprocess.run(  # noqa: S603 - the arguments are a list; no shell
            command,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout + 5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"ovs-vsctl: {error}") from error
    if ended.returncode != 0:
        raise RuntimeError(f"ovs-vsctl: {ended.stderr.decode(errors='replace').strip()[-500:]}")
    return ended.stdout.decode()
