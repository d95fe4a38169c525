"""What a person said in a room: words or a file, in which thread, to whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from appservice.domain.ids import EventId, UserId
from appservice.wire.content import at, is_storable, readable, text_at
from appservice.wire.message import format_picture, parse_message, parse_picture

_FILES = {"m.image": "a picture", "m.file": "a file", "m.audio": "a recording", "m.video": "a video"}
_WORDS = ("m.text", "m.emote", "m.location", "m.notice")
_MOST_MENTIONED = 50
_PILL = re.compile(r"""href=["']https://matrix\.to/#/(@[^"'?/]{1,255}|%40[^"'?/]{1,255})["'?]""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Remark:
    """What was said. `text` is what there is to read of it; `thread` is the first event of its thread, `reply_to` the
    event that it answers beyond that, `edits` the one that it replaces. `is_notice`: a program said it."""

    text: str
    thread: EventId | None = None
    reply_to: EventId | None = None
    mentions: frozenset[UserId] = frozenset()
    picture: Mapping[str, Any] | None = None
    edits: EventId | None = None
    is_notice: bool = False


def parse_remark(content: Mapping[str, Any]) -> Remark | None:
    """Give what was said; None for what says nothing to anybody."""
    msgtype, body = content.get("msgtype"), content.get("body")
    if not isinstance(body, str) or msgtype not in (*_WORDS, *_FILES):
        return None
    edits = text_at(content, "m.relates_to", "event_id") if _relation(content) == "m.replace" else None
    newest = at(content, "m.new_content") if edits else content
    said = newest if isinstance(newest, dict) else content
    reply_to = text_at(content, "m.relates_to", "m.in_reply_to", "event_id")
    if at(content, "m.relates_to", "is_falling_back") is True:
        reply_to = None
    return Remark(
        _text(said, str(msgtype)), thread_of(content), EventId(reply_to) if reply_to else None, _mentions(said),
        _picture(said), EventId(edits) if edits else None, msgtype == "m.notice",
    )  # fmt: skip


def thread_of(content: Mapping[str, Any]) -> EventId | None:
    """Give the first event of the thread in which something was said."""
    root = text_at(content, "m.relates_to", "event_id") if _relation(content) == "m.thread" else None
    return EventId(root) if root else None


def _relation(content: Mapping[str, Any]) -> object:
    return at(content, "m.relates_to", "rel_type")


def _text(content: Mapping[str, Any], msgtype: str) -> str:
    body = content.get("body")
    if not isinstance(body, str):
        return ""
    if msgtype not in _FILES:
        typed = parse_message({**content, "msgtype": "m.text"})
        return typed.body if typed else ""
    name = content.get("filename")
    if isinstance(name, str) and name != body:  # the body is a caption
        return readable(body).strip()
    return "" if msgtype == "m.image" else f"({_FILES[msgtype]}: {readable(body)[:100].strip()})"


def _mentions(content: Mapping[str, Any]) -> frozenset[UserId]:
    """Give who is mentioned; by a link to them where an older client wrote it."""
    if "m.mentions" in content:
        named = at(content, "m.mentions", "user_ids")
        found = named[:_MOST_MENTIONED] if isinstance(named, list) else []
    else:
        html = content.get("formatted_body")
        links = _PILL.findall(html) if isinstance(html, str) else []
        found = [unquote(link) for link in links[:_MOST_MENTIONED]]
    return frozenset(UserId(one) for one in found if isinstance(one, str) and len(one) <= 255 and is_storable(one))


def _picture(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give a picture as it can be sent on."""
    picture = parse_picture(content)
    return format_picture(picture, "picture") if picture else None
