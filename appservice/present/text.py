"""Text as clients render it: a plain body that is sufficient on its own, and HTML of the subset that is safe."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

LARGEST_PAGE = 12_000
"""Bytes of a part of a long list, as HTML."""


@dataclass(frozen=True, slots=True)
class Text:
    """A plain text with its HTML; without HTML, the plain text is all there is."""

    plain: str
    html: str | None = None


def notice(text: Text | str, key: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the content of an `m.notice`, which rings nobody, with our own keys mixed in."""
    return _message("m.notice", text, ()) | (key or {})


def ringing(text: Text | str, user_id: str, key: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the content of an `m.text` that mentions a person: for direct messages that need action."""
    return _message("m.text", text, (user_id,)) | (key or {})


def alert(text: Text | str, user_ids: Sequence[str], key: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the content of an `m.text` in a desk, which rings those whose turn it is."""
    return _message("m.text", text, user_ids) | (key or {})


def threaded(content: dict[str, Any], root: str) -> dict[str, Any]:
    """Give a content as it goes into a thread; clients without threads show it as a reply to what began it."""
    related = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True, "m.in_reply_to": {"event_id": root}}
    return content | {"m.relates_to": related}


def edited(event_id: str, content: dict[str, Any]) -> dict[str, Any]:
    """Give the content that replaces an earlier message; each version reads well alone."""
    return content | {
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }


def pages(lines: Sequence[str]) -> list[list[str]]:
    """Give lines as they fit into messages: with its HTML, none is too large for an event."""
    found: list[list[str]] = [[]]
    size = 0
    for line in lines:
        length = len(esc(line).encode()) + 1
        if found[-1] and size + length > LARGEST_PAGE:
            found.append([])
            size = 0
        found[-1].append(line)
        size += length
    return found


def short(text: object, most: int = 60) -> str:
    """Give what a person typed as it may be quoted back: on one line, without marks that cannot be seen, cut."""
    line = " ".join(str(text).split())
    shown = "".join(char for char in line if unicodedata.category(char)[0] != "C")
    return shown if len(shown) <= most else f"{shown[:most]}…"


def esc(text: object) -> str:
    """Escape for HTML."""
    return escape(str(text), quote=True)


def _message(msgtype: str, text: Text | str, mentioned: Sequence[str]) -> dict[str, Any]:
    text = text if isinstance(text, Text) else Text(text)
    content: dict[str, Any] = {"msgtype": msgtype, "body": text.plain}
    content["m.mentions"] = {"user_ids": list(mentioned)} if mentioned else {}
    if text.html is not None:
        content |= {"format": "org.matrix.custom.html", "formatted_body": text.html}
    return content
