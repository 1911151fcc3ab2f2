# SPDX-License-Identifier: Apache-2.0
"""Where images may come from: the rules over ``variables.images``, the references of a pod's containers and volumes.

A node's container runtime connects to the registry that an image's reference names, with the node's reach and not the
tenant's, and reports to the tenant what answered: the family of CVE-2020-8555. A reference is read as containerd reads
it (distribution/reference): what precedes the first slash is a host if it has a dot, a colon or an upper-case letter,
or is ``localhost``; otherwise the image is of docker.io.
"""

from hypernetes.kubernetes.admission import policy

DEFAULT_REGISTRY = "docker.io"

_FIRST = 'i.split("/")[0]'
_NAMES_A_HOST = (
    f'i.contains("/") && ({_FIRST}.contains(".") || {_FIRST}.contains(":") || {_FIRST} == "localhost" || '
    f"{_FIRST} != {_FIRST}.lowerAscii())"
)
_HOST = f'({_NAMES_A_HOST} ? {_FIRST}.lowerAscii() : "{DEFAULT_REGISTRY}")'

# Two labels at least, of which the last begins with a letter: no IPv4 address in any notation, no IPv6 address, no
# port, no single name of the operator's own network.
_DOMAIN = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]([a-z0-9-]*[a-z0-9])?$"
_LOCAL = r"(^|\\.)(localhost|local|localdomain)$"


def rules(registries: tuple[str, ...] = ()) -> tuple[policy.Rule, ...]:
    """Return the rules about images.

    :param registries: the hosts, with the port where it is not 443, from which alone images may come; empty for every
        public registry.
    """
    by_name = policy.Rule(
        "image-ids",
        'variables.images.all(i, !i.startsWith("sha256:"))',
        "an image cannot be named by its ID on the node: name its registry, repository and tag or digest.",
    )
    if registries:
        allowed = policy.cel_list(tuple(sorted(host.lower() for host in registries)))
        return (
            by_name,
            policy.Rule(
                "image-registries",
                f"variables.images.all(i, {_HOST} in {allowed})",
                f"images may come from these registries only: {', '.join(sorted(registries))}.",
            ),
        )
    return (
        by_name,
        policy.Rule(
            "image-registries",
            f"variables.images.all(i, {_HOST}.matches('{_DOMAIN}') && !{_HOST}.matches('{_LOCAL}'))",
            "an image's registry must be a public domain name without a port; IP addresses and localhost are not "
            "allowed.",
        ),
    )
