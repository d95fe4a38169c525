"""`shop.coterie.group`: the state event that marks a room as a group."""

from typing import Any

TYPE = "shop.coterie.group"


def format_group(cap: int) -> dict[str, Any]:
    """Give the content of the state event."""
    return {"version": 1, "cap": cap}
