"""Questions, and the events that have to do with them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from appservice.domain.ids import EventId, GroupId, Number, RoomId
from appservice.domain.question import Answer, Question, QuestionId, Status
from appservice.store.db import Connection


class Part(StrEnum):
    """What an event is to a question: its own message (ASKED, MORE), an answer to it (ANSWER, PEER), a line in the desk
    that quotes it (ROOT, and EDIT of one), or a reaction by which somebody holds it (CLAIM) or has closed it (DONE)."""

    ASKED = "asked"
    MORE = "more"
    ANSWER = "answer"
    PEER = "peer"
    ROOT = "root"
    EDIT = "edit"
    CLAIM = "claim"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Put:
    """A question with how it was put: `texts` says what its asker wrote, by event, and is empty where nothing is left
    of it; `picture` is the content of an `m.image`. `room_id` and `event_id` are the member's message, `root_id` the
    newest line about it in the desk with `shown`, what that says; `help_room_id` is the room made for it,
    `helper` the concierge who is let into that, and is set while the room is being made."""

    question: Question
    room_id: RoomId | None
    event_id: EventId | None
    texts: Mapping[EventId, str]
    picture: Mapping[str, Any] | None = None
    root_id: EventId | None = None
    shown: str | None = None
    help_room_id: RoomId | None = None
    helper: Number | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """What one event is to one question, and by whom (a number)."""

    question_id: QuestionId
    part: Part
    number: Number | None


@dataclass(frozen=True, slots=True)
class Note:
    """What a concierge noted about a question, at a time (ms)."""

    at: int
    by: Number
    text: str


class Questions:
    """Questions on one connection. Whoever changes one has locked it, and its group before it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, put: Put, due_at: int | None) -> None:
        """Write a new question down."""
        one = put.question
        await self._connection.execute(
            "INSERT INTO question (id, group_id, number, room_id, event_id, text, picture, asked_at, is_direct, status,"
            " claimant, waits, resolved_at, due_at, state, root_id, shown, help_room_id)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
            one.id, one.group_id, one.asker, put.room_id, put.event_id, json.dumps(put.texts),
            json.dumps(put.picture) if put.picture else None, one.asked_at, int(one.is_direct), one.status.value,
            one.claimant, int(one.waiting_since is not None), one.resolved_at, due_at, _dump(one), put.root_id,
            put.shown, put.help_room_id,
        )  # fmt: skip

    async def lock(self, id: str) -> Put:
        """Lock a question until the unit ends, and give it."""
        row = await self._connection.fetchrow(
            "UPDATE question SET revision = revision + 1 WHERE id = $1 RETURNING *", id
        )
        assert row is not None, id
        return _put(row)

    async def get(self, id: str) -> Put | None:
        """Give a question."""
        row = await self._connection.fetchrow("SELECT * FROM question WHERE id = $1", id)
        return _put(row) if row else None

    async def save(self, one: Question, due_at: int | None) -> None:
        """Write down how a question stands, and when (ms) something falls due for it."""
        await self._connection.execute(
            "UPDATE question SET status = $2, claimant = $3, waits = $4, resolved_at = $5, due_at = $6, state = $7"
            " WHERE id = $1",
            one.id, one.status.value, one.claimant, int(one.waiting_since is not None), one.resolved_at, due_at,
            _dump(one),
        )  # fmt: skip

    async def set_texts(self, id: str, texts: Mapping[EventId, str], picture: Mapping[str, Any] | None) -> None:
        """Note what a question says now."""
        await self._connection.execute(
            "UPDATE question SET text = $2, picture = $3 WHERE id = $1",
            id, json.dumps(texts) if texts else None, json.dumps(picture) if picture else None,
        )  # fmt: skip

    async def set_root(self, id: str, root_id: str | None, shown: str | None) -> None:
        """Note which line in the desk is about a question, and what it says."""
        await self._connection.execute("UPDATE question SET root_id = $2, shown = $3 WHERE id = $1", id, root_id, shown)

    async def set_help_room(self, id: str, room_id: str | None, helper: int | None) -> None:
        """Note the room that was made for a question, and the concierge who is let into it."""
        await self._connection.execute(
            "UPDATE question SET help_room_id = $2, helper = $3 WHERE id = $1", id, room_id, helper
        )

    async def live(self, group_id: str) -> list[Put]:
        """Give the questions of a group that are not resolved, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM question WHERE group_id = $1 AND status <> 'resolved' ORDER BY asked_at, id", group_id
        )
        return [_put(row) for row in rows]

    async def of_asker(self, group_id: str, number: int) -> list[Put]:
        """Give the questions of a member that are not resolved, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM question WHERE group_id = $1 AND number = $2 AND status <> 'resolved' ORDER BY asked_at, id",
            group_id, number,
        )  # fmt: skip
        return [_put(row) for row in rows]

    async def all_of_asker(self, group_id: str, number: int) -> list[QuestionId]:
        """Give every question that a member has ever asked in a group, oldest first."""
        rows = await self._connection.fetch(
            "SELECT id FROM question WHERE group_id = $1 AND number = $2 ORDER BY asked_at, id", group_id, number
        )
        return [QuestionId(row["id"]) for row in rows]

    async def due(self, group_id: str, now: int) -> list[QuestionId]:
        """Give the questions of a group for which something is due by a time (ms), in the order in which they were."""
        rows = await self._connection.fetch(
            "SELECT id FROM question WHERE group_id = $1 AND due_at <= $2 ORDER BY due_at, asked_at, id", group_id, now
        )
        return [QuestionId(row["id"]) for row in rows]

    async def next_due(self, group_id: str) -> int | None:
        """Give when (ms) something next falls due in a group."""
        at: int | None = await self._connection.fetchval(
            "SELECT MIN(due_at) FROM question WHERE group_id = $1", group_id
        )
        return at

    async def say(self, id: str, event_id: str, part: Part, number: int | None, at: int) -> bool:
        """Note what an event is to a question; tells whether that is new."""
        new = await self._connection.fetchval(
            "INSERT INTO question_event (event_id, question_id, role, number, at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (event_id, question_id) DO NOTHING RETURNING event_id",
            event_id, id, part.value, number, at,
        )  # fmt: skip
        return new is not None

    async def roles(self, event_id: str) -> list[Role]:
        """Give what an event is to which questions; mostly none, or one."""
        rows = await self._connection.fetch(
            "SELECT question_id, role, number FROM question_event WHERE event_id = $1 ORDER BY at, question_id",
            event_id,
        )
        return [
            Role(
                QuestionId(row["question_id"]), Part(row["role"]),
                Number(row["number"]) if row["number"] is not None else None,
            )
            for row in rows
        ]  # fmt: skip

    async def events(self, id: str, part: Part) -> list[EventId]:
        """Give the events that are the same thing to a question, oldest first."""
        rows = await self._connection.fetch(
            "SELECT event_id FROM question_event WHERE question_id = $1 AND role = $2 ORDER BY at, event_id",
            id, part.value,
        )  # fmt: skip
        return [EventId(row["event_id"]) for row in rows]

    async def has_said(self, id: str, part: Part, number: int) -> bool:
        """Tell whether any event of a person is that to a question."""
        found = await self._connection.fetchval(
            "SELECT event_id FROM question_event WHERE question_id = $1 AND role = $2 AND number = $3 LIMIT 1",
            id, part.value, number,
        )  # fmt: skip
        return found is not None

    async def unsay(self, id: str, event_id: str) -> None:
        """Forget what an event was to a question."""
        await self._connection.execute(
            "DELETE FROM question_event WHERE question_id = $1 AND event_id = $2", id, event_id
        )

    async def with_help(self, group_id: str) -> list[Put]:
        """Give the questions of a group that have a help room, or for which one is being made, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM question WHERE group_id = $1 AND (help_room_id IS NOT NULL OR helper IS NOT NULL)"
            " ORDER BY asked_at, id",
            group_id,
        )
        return [_put(row) for row in rows]

    async def note(self, id: str, note: Note) -> None:
        """Write a note down."""
        await self._connection.execute(
            "INSERT INTO question_note (question_id, at, number, text) VALUES ($1, $2, $3, $4)",
            id, note.at, note.by, note.text,
        )  # fmt: skip

    async def notes(self, id: str) -> list[Note]:
        """Give the notes about a question, oldest first."""
        rows = await self._connection.fetch(
            "SELECT at, number, text FROM question_note WHERE question_id = $1 ORDER BY at", id
        )
        return [Note(row["at"], Number(row["number"]), row["text"]) for row in rows]

    async def prune(self, before: int) -> None:
        """Forget what was said in questions that were resolved before then (ms): nobody reopens them any more."""
        of = "(SELECT id FROM question WHERE status = 'resolved' AND resolved_at < $1)"
        await self._connection.execute(f"DELETE FROM question_note WHERE question_id IN {of}", before)  # noqa: S608
        await self._connection.execute(
            "UPDATE question SET text = NULL, picture = NULL, shown = NULL"
            " WHERE status = 'resolved' AND resolved_at < $1"
            " AND (text IS NOT NULL OR shown IS NOT NULL)",
            before,
        )


def _dump(one: Question) -> str:
    """Give what a question's columns do not say, as JSON."""
    state = asdict(one)
    for name in ("id", "group_id", "asker", "asked_at", "is_direct"):
        del state[name]
    return json.dumps(state)


def _put(row: Any) -> Put:
    state: dict[str, Any] = json.loads(row["state"])
    answers: Sequence[dict[str, Any]] = state.pop("answers")
    question = Question(
        id=QuestionId(row["id"]),
        group_id=GroupId(row["group_id"]),
        asker=Number(row["number"]),
        asked_at=row["asked_at"],
        is_direct=bool(row["is_direct"]),
        answers=tuple(Answer(**answer) for answer in answers),
        **state,
    )
    return Put(
        question=replace(question, status=Status(row["status"])),
        room_id=RoomId(row["room_id"]) if row["room_id"] else None,
        event_id=EventId(row["event_id"]) if row["event_id"] else None,
        texts=json.loads(row["text"]) if row["text"] else {},
        picture=json.loads(row["picture"]) if row["picture"] else None,
        root_id=EventId(row["root_id"]) if row["root_id"] else None,
        shown=row["shown"],
        help_room_id=RoomId(row["help_room_id"]) if row["help_room_id"] else None,
        helper=Number(row["helper"]) if row["helper"] is not None else None,
    )
