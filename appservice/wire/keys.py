"""shop.coterie.keys: the state of the bot's keys, which the homeserver keeps for us as account data."""

from collections.abc import Mapping
from typing import Any

from appservice.wire.content import integer_at, text_at

TYPE = "shop.coterie.keys"


def format_keys(device_id: str, generation: int) -> dict[str, Any]:
    """Give the content."""
    return {"device_id": device_id, "generation": generation}


def parse_keys(content: Mapping[str, Any]) -> tuple[str | None, int]:
    """Give device and generation; None and 0 where nothing was ever kept."""
    return text_at(content, "device_id"), integer_at(content, "generation") or 0
