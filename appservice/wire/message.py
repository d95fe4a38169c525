"""`m.room.message`: what was typed, and to what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import EventId
from appservice.domain.product import Picture
from appservice.wire.attachment import format_file, parse_address, parse_file
from appservice.wire.content import at, integer_at, readable, text_at

TYPE = "m.room.message"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a person may have typed. `edits` names the event that it replaces."""

    body: str
    reply_to: EventId | None = None
    edits: EventId | None = None


def parse_message(content: Mapping[str, Any]) -> Message | None:
    """Give what was typed; None for what no person typed (`m.notice`) and for what has no body."""
    body, msgtype = content.get("body"), content.get("msgtype")
    if not isinstance(body, str) or msgtype not in ("m.text", "m.emote"):
        return None
    reply_to = text_at(content, "m.relates_to", "m.in_reply_to", "event_id")
    falls_back = reply_to is None or at(content, "m.relates_to", "is_falling_back") is True
    if at(content, "m.relates_to", "rel_type") == "m.thread" and falls_back:
        reply_to = text_at(content, "m.relates_to", "event_id")  # in a thread without a reply: its root is meant
    edits = None
    if at(content, "m.relates_to", "rel_type") == "m.replace":
        edits = text_at(content, "m.relates_to", "event_id")
        new_body = at(content, "m.new_content", "body")
        body = new_body if isinstance(new_body, str) else body
    typed = _without_fallback(readable(body)) if reply_to else readable(body)
    return Message(typed.strip(), EventId(reply_to) if reply_to else None, EventId(edits) if edits else None)


def _without_fallback(body: str) -> str:
    """Take off the quote that older clients put before a reply (spec: rich reply fallbacks)."""
    lines = body.split("\n")
    quoted = next((n for n, line in enumerate(lines) if not line.startswith("> ")), len(lines))
    if quoted == 0:
        return body
    return "\n".join(lines[quoted:]).lstrip("\n")


def parse_picture(content: object) -> Picture | None:
    """Give the picture of an `m.image`, or None; of an encrypted one where it has both."""
    if at(content, "msgtype") != "m.image":
        return None
    url, key = parse_file(at(content, "file")) or (parse_address(content), None)
    if url is None:
        return None
    return Picture(
        url,
        mimetype=text_at(content, "info", "mimetype", longest=100),
        width=integer_at(content, "info", "w", least=1, most=100_000),
        height=integer_at(content, "info", "h", least=1, most=100_000),
        size=integer_at(content, "info", "size", least=1),
        key=key,
    )


def format_picture(picture: Picture, body: str) -> dict[str, Any]:
    """Give the content of an `m.image` that shows a picture; all that matters is in the text beside it."""
    sizes = {"mimetype": picture.mimetype, "w": picture.width, "h": picture.height, "size": picture.size}
    info = {name: value for name, value in sizes.items() if value is not None}
    where = {"file": format_file(picture.url, picture.key)} if picture.key else {"url": picture.url}
    return {"msgtype": "m.image", "body": body, "info": info, "m.mentions": {}, **where}
