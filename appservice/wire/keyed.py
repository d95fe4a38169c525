"""Messages that ask for something by a key of ours, as clients and bots of concierges send them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.wire import group_buy, product
from appservice.wire.content import at

_MADE_BY_THE_SERVICE = {product.TYPE: ("id",), group_buy.TYPE: ("total", "lines")}
"""What the keys on the service's own cards and results have, and no request has."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What a message has under our keys, by type; nothing is known yet about what that is."""

    values: Mapping[str, object]


def parse_keyed(content: Mapping[str, Any]) -> Keyed | None:
    """Give what a message asks for; None where it asks for nothing: an edit, or a copy of what the service has sent,
    as forwarding makes them."""
    if at(content, "m.relates_to", "rel_type") == "m.replace":
        return None
    values = {type: content[type] for type in _MADE_BY_THE_SERVICE if type in content and not _is_copy(type, content)}
    return Keyed(values) if values else None


def _is_copy(type: str, content: Mapping[str, Any]) -> bool:
    return any(at(content, type, name) is not None for name in _MADE_BY_THE_SERVICE[type])
