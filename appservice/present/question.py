"""The line in the desk that is about a question, and begins its thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from appservice.domain.duration import MINUTE_MS
from appservice.domain.group import Group
from appservice.domain.ids import Number
from appservice.domain.question import Question, Status
from appservice.present.amounts import when
from appservice.present.text import Text, esc
from appservice.present.words.questions import DONE, TAKE, lasting

LONGEST_SHOWN = 1500
LARGEST_SHOWN = 6_000
LARGEST_NOTES = 4_000
"""So many bytes of what was asked and noted go into the line: an edit of it has them four times, and is one event."""
_SIGNS = {
    Status.OPEN: "❔",
    Status.CLAIMED: "👀",
    Status.WAITING_MEMBER: "💬",
    Status.SNOOZED: "💤",
    Status.RESOLVED: "✅",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the line shows beside the question itself: `names` by number, the asker's `texts`, where to `answer` (a
    link), and a short line on how they stand (`standing`, may be empty)."""

    names: Mapping[Number, str]
    texts: tuple[str, ...]
    has_picture: bool = False
    link: str | None = None
    in_help_room: bool = False
    standing: str = ""
    notes: tuple[str, ...] = ()


def question_line(question: Question, group: Group, seen: Seen, now: int) -> Text:
    """Give the line as of now; each version reads well alone."""
    asker = seen.names[question.asker]
    asked = _asked(question, group, now)
    how = " directly" if question.is_direct else ""
    again = "" if question.episode == 1 else ", again"
    head = f"{_sign(question)} {asker} asks{how}{again} · {asked}"
    said = _fitting(seen.texts, LARGEST_SHOWN)
    if not said and not seen.has_picture:
        said = ["(removed)"]
    elif not said:
        said = ["(a picture, below)"]
    facts = [line for line in (_standing(question, group, seen, now), seen.standing) if line]
    notes = _fitting([f"Note: {note}" for note in seen.notes], LARGEST_NOTES)
    plain = [head, *(f"> {line}" for text in said for line in text.split("\n")), *facts, *notes]
    quoted = "<br>".join(esc(text).replace("\n", "<br>") for text in said)
    html = [f"<strong>{esc(head)}</strong><blockquote>{quoted}</blockquote>"]
    html.append("<br>".join(esc(line) for line in (*facts, *notes)))
    if seen.link is not None:
        where = "the private room" if seen.in_help_room else "the message"
        plain.append(f"Open {where}: {seen.link}")
        html.append(f'<br><a href="{esc(seen.link)}">Open {where}</a>')
    return Text("\n".join(plain), "".join(html))


def _fitting(texts: Sequence[str], room: int) -> list[str]:
    """Give the first of the texts and as many of the newest as there is room for, and how many are left out."""
    shown = [_cut(text, room // 2) for text in texts]
    kept, room = len(shown), room - sum(map(_size, shown[:1]))
    while kept > 1 and room >= _size(shown[kept - 1]):
        kept -= 1
        room -= _size(shown[kept])
    left_out = [f"({kept - 1} more)"] if kept > 1 else []
    return [*shown[:1], *left_out, *shown[max(kept, 1) :]]


def _cut(text: str, most: int) -> str:
    shown = text[:LONGEST_SHOWN]
    while _size(shown) + _size("…") > most:
        shown = shown[: len(shown) * 9 // 10]
    return text if shown == text else f"{shown}…"


def _size(text: str) -> int:
    return len(esc(text).encode()) + 4 * text.count("\n")


def event_link(room_id: str, event_id: str | None, server: str) -> str:
    """Give the link that opens an event, or a room, in any client."""
    event = f"/{quote(event_id, safe='$:')}" if event_id else ""
    return f"https://matrix.to/#/{quote(room_id, safe='!:')}{event}?via={quote(server, safe=':')}"


def _asked(question: Question, group: Group, now: int) -> str:
    since = question.episode_at
    asked, waits = when(since, now, group), now - since
    return asked if question.waiting_since is None or waits < 2 * MINUTE_MS else f"{asked}, {lasting(waits)} ago"


def _sign(question: Question) -> str:
    return _SIGNS[question.status]


def _standing(question: Question, group: Group, seen: Seen, now: int) -> str:
    claimant = seen.names[question.claimant] if question.claimant is not None else None
    answer = question.answer
    answered = (
        f"Answered by {seen.names[answer.by]} after {lasting(answer.at - question.episode_at)}." if answer else ""
    )
    peer = next((seen.names[one.by] for one in reversed(question.answers) if one.is_peer), None)
    match question.status:
        case Status.OPEN:
            waits = f"{peer} has answered; no concierge has. " if peer else ""
            how = "takes it and opens a private room" if question.is_direct and not seen.in_help_room else "takes it"
            return f"{waits}{TAKE} {how}."
        case Status.CLAIMED:
            also = f" {peer} has answered meanwhile." if peer else ""
            return f"{claimant} has it.{also}"
        case Status.SNOOZED:
            until = when(question.snoozed_until, now, group) if question.snoozed_until is not None else ""
            return f"{claimant} has put it off until {until}." if claimant else f"Put off until {until}."
        case Status.WAITING_MEMBER:
            return f"{answered} {DONE} closes it."
        case Status.RESOLVED:
            by = seen.names[question.resolved_by] if question.resolved_by is not None else None
            if question.credited is not None:
                return f"Closed: {seen.names[question.credited]}’s answer was accepted."
            if question.resolved_by == question.asker and not seen.texts:
                return "Taken back by its asker."
            return f"{answered} Closed by {by}.".strip()
