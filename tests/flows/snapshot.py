"""A group that is ready, made once and then copied: what the homeserver and the service's database know of it."""

from __future__ import annotations

import copy
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey

_WORLD = ("rooms", "accounts", "devices", "media", "keys", "secrets", "_order", "_media")
_MEMORY = ("answered_paths", "answered_transactions")
_STATE = ("group", "desk", "product", "card", "buy", "directs")


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment at which the service was stopped; `database` is SQLite's file."""

    world: dict[str, Any]
    memory: dict[str, Any]
    people: dict[str, bool]
    journey: dict[str, Any]
    database: bytes

    @classmethod
    def of(cls, play: Journey) -> Snapshot:
        """Copy the state; the service must be stopped."""
        database = b""
        if play.service.database.startswith("sqlite:"):
            file = Path(play.service.database.partition(":")[2])
            with sqlite3.connect(file) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database = file.read_bytes()
        hs = play.hs
        # One copy of all, since rooms and answers share events.
        world, memory = copy.deepcopy(
            ({name: getattr(hs.world, name) for name in _WORLD}, {name: getattr(hs, name) for name in _MEMORY})
        )
        people = {mxid: person.auto_join for mxid, person in hs._people.items()}
        journey = {name: copy.copy(getattr(play, name)) for name in _STATE}
        return cls(world, memory, people, journey, database)

    def restore(self, hs: FakeHomeserver) -> dict[str, Any]:
        """Bring a fresh homeserver to that moment; gives what the journey knows."""
        world, memory = copy.deepcopy((self.world, self.memory))
        for owner, parts in ((hs.world, world), (hs, memory)):
            for name, value in parts.items():
                setattr(owner, name, value)
        for mxid, auto_join in self.people.items():
            hs.user(mxid, auto_join=auto_join)
        return copy.deepcopy(self.journey)
