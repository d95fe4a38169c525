"""What one question has come to: as a script knows it, and as the database of the service has it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from tests.harness.circle import Circle
from tests.harness.person import Person
from tests.harness.visitor import Visitor


@dataclass(eq=False)
class Asked:
    """A question as the script knows it, and what should have come of it. `claimant` is one of several who were as
    quick as each other; `is_known` is false of what was taken back before the service could read it."""

    no: int
    asker: Visitor
    way: str
    event_id: str = ""
    texts: list[str] = field(default_factory=list)
    status: str = "open"
    claimant: Sequence[Person] = ()
    answered: Person | None = None
    peer: Person | None = None
    credited: Person | None = None
    resolved_by: Person | None = None
    episode: int = 1
    is_known: bool = True
    answer_id: str = ""

    @property
    def mark(self) -> str:
        """What all words of it contain, and nothing else."""
        return f"no. {self.no}?"

    @property
    def is_direct(self) -> bool:
        return self.way == "direct"

    def closed_by(self, one: Person) -> None:
        self.status, self.resolved_by = "resolved", one

    def answered_by(self, one: Person) -> None:
        self.status, self.answered = "waiting_member", one
        self.claimant = self.claimant or (one,)

    def expected(self) -> dict[str, Any]:
        """What the database should have of it, but for the claimant."""
        return {
            "event": self.event_id,
            "asker": self.asker.user_id,
            "direct": self.is_direct,
            "texts": self.texts,
            "status": self.status,
            "episode": self.episode,
            "answered": _id(self.answered),
            "peer": _id(self.peer),
            "credited": _id(self.credited),
            "resolved by": _id(self.resolved_by),
        }


def kept(here: Circle) -> tuple[dict[str, dict[str, Any]], dict[str, str | None]]:
    """By the event with which each question was asked: what the database has of it, and who has it."""
    with closing(sqlite3.connect(here.service.directory / "coterie.db")) as database:
        database.row_factory = sqlite3.Row
        who: dict[int | None, str] = dict(database.execute("SELECT number, user_id FROM member").fetchall())
        rows = database.execute("SELECT * FROM question").fetchall()
    found = [_row(row, json.loads(row["state"]), who) for row in rows]
    assert len({row["event"] for row in found}) == len(found), "a message became two questions"
    return {row["event"]: row for row in found}, {row["event_id"]: who.get(row["claimant"]) for row in rows}


def aliases(here: Circle) -> dict[str, str]:
    """By user id: the name under which the service speaks of somebody."""
    with closing(sqlite3.connect(here.service.directory / "coterie.db")) as database:
        return dict(database.execute("SELECT user_id, alias FROM member").fetchall())


def _row(row: sqlite3.Row, state: dict[str, Any], who: dict[int | None, str]) -> dict[str, Any]:
    answers = [one for one in state["answers"] if not one["is_peer"]]
    peers = [one for one in state["answers"] if one["is_peer"]]
    return {
        "event": row["event_id"],
        "asker": who[row["number"]],
        "direct": bool(row["is_direct"]),
        "texts": list(json.loads(row["text"]).values()) if row["text"] else [],
        "status": row["status"],
        "episode": state["episode"],
        "answered": who[answers[0]["by"]] if answers else None,
        "peer": who[peers[0]["by"]] if peers else None,
        "credited": who.get(state["credited"]),
        "resolved by": who.get(state["resolved_by"]),
    }


def _id(one: Person | None) -> str | None:
    return one.user_id if one else None
