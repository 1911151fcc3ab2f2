# SPDX-License-Identifier: Apache-2.0
"""Messages to JSON-safe dictionaries and back, strictly: an unknown type or a wrong shape is an error.

Unknown fields are ignored, so that a newer sender can speak to an older receiver.
"""

import dataclasses
import enum
import types
import typing
from typing import Any
from typing import TypeVar

T = TypeVar("T")


class MalformedMessage(ValueError):
    """The dictionary does not describe the message it should."""


def encode(message: Any) -> dict[str, Any]:
    """Return the dictionary that stands for a message on the wire."""
    return dataclasses.asdict(message)


def decode(kind: type[T], data: object) -> T:
    """Return the message of type ``kind`` that ``data`` describes.

    :raises MalformedMessage: when a field is missing or has the wrong type.
    """
    if not isinstance(data, dict):
        raise MalformedMessage(f"{kind.__name__}: a mapping was expected, not {type(data).__name__}")
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in data:
            values[field.name] = _value(hints[field.name], data[field.name], f"{kind.__name__}.{field.name}")
    try:
        return kind(**values)
    except TypeError as error:
        raise MalformedMessage(f"{kind.__name__}: {error}") from error


def _value(hint: Any, value: object, where: str) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (hint,) = (a for a in arguments if a is not type(None))
        return _value(hint, value, where)
    if origin in (tuple, dict):
        return _container(origin, arguments, value, where)
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type, hint), value)
    return _scalar(hint, value, where)


def _container(origin: type, arguments: tuple[Any, ...], value: object, where: str) -> Any:
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise MalformedMessage(f"{where}: a list was expected")
        return tuple(_value(arguments[0], item, where) for item in value)
    if not isinstance(value, dict):
        raise MalformedMessage(f"{where}: a mapping was expected")
    return {_value(arguments[0], k, where): _value(arguments[1], v, where) for k, v in value.items()}


def _scalar(hint: type, value: object, where: str) -> Any:
    if issubclass(hint, enum.StrEnum):
        return _member(hint, value, where)
    # bool is an int to Python; on the wire they are different things.
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise MalformedMessage(f"{where}: {hint.__name__} was expected, not {type(value).__name__}")
    if isinstance(value, str) and not _is_text(value):
        raise MalformedMessage(f"{where}: text was expected, not half a surrogate pair")
    return value


def _member(hint: type[enum.StrEnum], value: object, where: str) -> enum.StrEnum:
    try:
        return hint(typing.cast(str, value))
    except ValueError as error:
        raise MalformedMessage(f"{where}: one of {', '.join(hint)} was expected") from error


def _is_text(value: str) -> bool:
    # JSON can carry a lone surrogate ("\\ud800"), which neither a database nor an apiserver's path takes.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
