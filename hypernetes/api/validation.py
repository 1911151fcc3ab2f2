# SPDX-License-Identifier: Apache-2.0
"""JSON Schema, with the formats of this API: uuid, dns-label, ipv4-cidr, label-key, label-value."""

import functools
import ipaddress
import json
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema import exceptions

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import names

_LONGEST_REASON = 300
"""Characters; a message quotes what was sent, which may be long."""

_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("uuid")
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or ids.is_uuid(value)


@_FORMATS.checks("dns-label")
def _is_dns_label(value: object) -> bool:
    return not isinstance(value, str) or names.is_dns_label(value)


@_FORMATS.checks("ipv4-cidr", raises=ValueError)
def _is_ipv4_cidr(value: object) -> bool:
    # strict: 10.0.0.1/24 is an address in a network and not a network.
    return not isinstance(value, str) or bool(ipaddress.IPv4Network(value, strict=True))


@_FORMATS.checks("label-key")
def _is_label_key(value: object) -> bool:
    return not isinstance(value, str) or names.is_label_key(value)


@_FORMATS.checks("label-value")
def _is_label_value(value: object) -> bool:
    return not isinstance(value, str) or names.is_label_value(value)


def _dns_label_rule(_value: str) -> str:
    return (
        "is not a DNS label: use lower-case letters, digits and hyphens, at most 63, "
        "and begin and end with a letter or a digit"
    )


def _ipv4_cidr_rule(value: str) -> str:
    try:
        suggestion = ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        return "is not an IPv4 network in CIDR notation, for example 10.1.0.0/24"
    return f"is an address within a network; the network is {suggestion}"


def _label_key_rule(_value: str) -> str:
    return (
        "is not the key of a label: at most 63 letters, digits, hyphens, underscores and dots that begin and end with "
        "a letter or a digit, with a DNS name and a slash before them or without"
    )


def _label_value_rule(_value: str) -> str:
    return (
        "is not the value of a label: use at most 63 letters, digits, hyphens, underscores and dots, and begin and end "
        "with a letter or a digit"
    )


def _uuid_rule(_value: str) -> str:
    return "is not a UUID in lower case with hyphens"


_RULES: Mapping[str, Callable[[str], str]] = {
    "dns-label": _dns_label_rule,
    "ipv4-cidr": _ipv4_cidr_rule,
    "label-key": _label_key_rule,
    "label-value": _label_value_rule,
    "uuid": _uuid_rule,
}
"""The end of the message about a value, by the format that it does not conform to."""


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema), format_checker=_FORMATS)


def _first_error(schema: Mapping[str, Any], value: object) -> exceptions.ValidationError | None:
    validator = _validator(json.dumps(schema, sort_keys=True))
    found: exceptions.ValidationError | None = exceptions.best_match(validator.iter_errors(value))
    return found


def require(schema: Mapping[str, Any], value: object, where: str) -> None:
    """Check that ``value`` conforms.

    :param where: what it is, for the message: the body, the query.
    :raises errors.BadRequest: when it does not; the reason names the field.
    """
    error = _first_error(schema, value)
    if error is None:
        return
    field = ".".join(str(part) for part in error.absolute_path)
    place = f"{where}, field {field}" if field else where
    raise errors.BadRequest(reason=f"{place}: {_message(error)}"[:_LONGEST_REASON])


def _message(error: exceptions.ValidationError) -> str:
    """Return what is wrong in words; the library quotes formats and regular expressions."""
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    rule = _RULES.get(str(schema.get("format")))
    if error.validator == "format" and rule is not None:
        return f"{error.instance!r} {rule(str(error.instance))}"
    description = schema.get("description")
    if error.validator == "pattern" and description:
        return f"{error.instance!r} is not {description}"
    return str(description if error.validator == "not" and description else error.message)


def require_conforming(schema: Mapping[str, Any], answer: object) -> None:
    """Check a response.

    :raises jsonschema.ValidationError: when it is not what the API reference promises.
    """
    error = _first_error(schema, answer)
    if error is not None:
        raise error
