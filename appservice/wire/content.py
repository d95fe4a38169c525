"""Strict getters for what other people send: the value, or None where it is missing or not what it should be."""

from collections.abc import Mapping
from typing import Any

MOST_CHARACTERS = 4000
"""Of a body, more is not read: commands, pledges and names are far shorter."""


def text_at(content: object, *path: str, longest: int = 255) -> str | None:
    """Give the string at a path, or None where there is none, it is empty, too long, or holds NUL or surrogates."""
    value = at(content, *path)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return None
    return value if is_storable(value) else None


def integer_at(content: object, *path: str, least: int = 0, most: int = 2**53 - 1) -> int | None:
    """Give the integer at a path; booleans and floats are none."""
    value = at(content, *path)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def mapping_at(content: object, *path: str) -> Mapping[str, Any] | None:
    """Give the object at a path."""
    value = at(content, *path)
    return value if isinstance(value, dict) else None


def at(content: object, *path: str) -> object:
    """Give whatever is at a path, or None."""
    value = content
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def is_storable(text: str) -> bool:
    """Tell whether both engines can keep a text: no U+0000, no lone surrogates."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def readable(text: str) -> str:
    """Give a body as it may be handled: cut to MOST_CHARACTERS, what cannot be stored replaced by U+FFFD."""
    return "".join(
        "\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text[:MOST_CHARACTERS]
    )
