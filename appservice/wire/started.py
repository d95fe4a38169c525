"""`shop.coterie.started`: what the bot sends to itself at each start; when it comes back, all before it has come."""

from typing import Any

from appservice.wire.content import integer_at

TYPE = "shop.coterie.started"


def format_started(started_at: int) -> dict[str, Any]:
    """Give the content of the event; the time (ms) tells the starts apart."""
    return {"version": 1, "started_at": started_at}


def parse_started(content: object) -> int | None:
    """Give the time (ms) of the start, or None where the content has none."""
    return integer_at(content, "started_at")
