"""What could not be handled and was set aside for the operator: arrivals and effects."""

import json
from dataclasses import dataclass
from typing import Any

from appservice.store.db import Connection, Database


@dataclass(frozen=True, slots=True)
class ParkedItem:
    """One thing set aside. `id` is `a<seq>` for an arrival, `e<seq>` for an effect; `received_at` in ms."""

    id: str
    kind: str
    room_id: str
    what: str
    error: str
    attempts: int
    received_at: int
    content: str


_SELECT = {
    "arrival": "SELECT seq, lane, type AS what, error, attempts, received_at AS at, content FROM arrival",
    "effect": "SELECT seq, lane, kind AS what, error, attempts, created_at AS at, content FROM effect",
}


class Parked:
    """The operator's view of what was set aside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[ParkedItem]:
        """Give everything that is set aside, oldest first."""
        async with self._database.reading() as connection:
            items = [
                _item(kind, row)
                for kind, select in _SELECT.items()
                for row in await connection.fetch(f"{select} WHERE status = 'parked' ORDER BY seq")
            ]
        return sorted(items, key=lambda item: item.received_at)

    async def show(self, id: str) -> ParkedItem | None:
        """Give one thing, or None where nothing of that id is set aside."""
        kind, seq = _parse(id)
        if kind is None:
            return None
        async with self._database.reading() as connection:
            row = await connection.fetchrow(f"{_SELECT[kind]} WHERE status = 'parked' AND seq = $1", seq)
        return _item(kind, row) if row else None

    async def retry(self, id: str) -> bool:
        """Let a thing be tried again, with all its attempts; False where nothing of that id is set aside."""
        return await self._change(id, "status = 'waiting', attempts = 0, due_at = 0")

    async def drop(self, id: str) -> bool:
        """Give a thing up for good; False where nothing of that id is set aside."""
        return await self._change(id, "status = 'dropped', content = NULL")

    async def _change(self, id: str, change: str) -> bool:
        kind, seq = _parse(id)
        if kind is None:
            return False
        async with self._database.transaction() as connection:
            return await _update(connection, kind, change, seq)


async def _update(connection: Connection, kind: str, change: str, seq: int) -> bool:
    changed = await connection.fetchval(
        f"UPDATE {kind} SET {change} WHERE seq = $1 AND status = 'parked' RETURNING seq",  # noqa: S608
        seq,
    )
    return changed is not None


def _parse(id: str) -> tuple[str | None, int]:
    kind = {"a": "arrival", "e": "effect"}.get(id[:1])
    digits = id[1:]
    return (kind, int(digits)) if kind and digits.isascii() and digits.isdigit() and len(digits) < 19 else (None, 0)


def _item(kind: str, row: Any) -> ParkedItem:
    return ParkedItem(
        id=f"{kind[0]}{row['seq']}",
        kind=kind,
        room_id=row["lane"],
        what=row["what"],
        error=row["error"] or "",
        attempts=row["attempts"],
        received_at=row["at"],
        content=_pretty(row["content"]),
    )


def _pretty(content: str) -> str:
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return content
