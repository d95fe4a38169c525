"""The ledger: what happened, in order, to whose account. Append only; a correction is a reversing entry."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `units` and `amount` (minor units of `currency`) are signed, as seen from the member's debt."""

    group_id: str
    fact: str
    buy_id: str | None = None
    number: int | None = None
    units: int = 0
    amount: int = 0
    currency: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    actor: int | None = None
    cause: str = ""
    at: int = 0


class Ledger:
    """The ledger on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def append(self, entry: Entry) -> None:
        """Add one line at the end."""
        await self._connection.execute(
            "INSERT INTO ledger (at, group_id, buy_id, number, fact, units, amount_minor, currency, detail, actor,"
            " cause) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            entry.at, entry.group_id, entry.buy_id, entry.number, entry.fact, entry.units, entry.amount,
            entry.currency, json.dumps(entry.detail), entry.actor, entry.cause,
        )  # fmt: skip

    async def of_buy(self, buy_id: str) -> list[Entry]:
        """Give the lines of a buy in order."""
        rows = await self._connection.fetch("SELECT * FROM ledger WHERE buy_id = $1 ORDER BY seq", buy_id)
        return [_entry(row) for row in rows]

    async def of_cause(self, cause: str) -> list[Entry]:
        """Give the lines that one arrival or timer has caused, in order."""
        rows = await self._connection.fetch("SELECT * FROM ledger WHERE cause = $1 ORDER BY seq", cause)
        return [_entry(row) for row in rows]

    async def of_group(self, group_id: str, facts: Collection[str], since: int = 0) -> list[Entry]:
        """Give the lines of a group that are of some facts and not older than a time (ms), in order."""
        names = ", ".join(f"${n}" for n in range(3, 3 + len(facts)))
        query = f"SELECT * FROM ledger WHERE group_id = $1 AND at >= $2 AND fact IN ({names}) ORDER BY seq"  # noqa: S608
        return [_entry(row) for row in await self._connection.fetch(query, group_id, since, *facts)]

    async def drafts_ordered(self, group_id: str, since: int) -> list[Entry]:
        """Give the lines with which those buys began, in whatever group, in which members of a group have ordered since
        a time (ms)."""
        rows = await self._connection.fetch(
            "SELECT * FROM ledger WHERE fact = 'drafted' AND buy_id IN (SELECT buy_id FROM ledger"
            " WHERE group_id = $1 AND at >= $2 AND fact IN ('order', 'taken')) ORDER BY seq",
            group_id, since,
        )  # fmt: skip
        return [_entry(row) for row in rows]

    async def drafted_by(self, group_id: str, number: int) -> list[Entry]:
        """Give the lines with which the buys of a concierge began, in order."""
        rows = await self._connection.fetch(
            "SELECT * FROM ledger WHERE group_id = $1 AND fact = 'drafted' AND actor = $2 ORDER BY seq",
            group_id, number,
        )  # fmt: skip
        return [_entry(row) for row in rows]

    async def newest(self, group_id: str, facts: Collection[str], limit: int) -> list[Entry]:
        """Give the last lines of a group that are of some facts, newest first."""
        names = ", ".join(f"${n}" for n in range(3, 3 + len(facts)))
        query = f"SELECT * FROM ledger WHERE group_id = $1 AND fact IN ({names}) ORDER BY seq DESC LIMIT $2"  # noqa: S608
        return [_entry(row) for row in await self._connection.fetch(query, group_id, limit, *facts)]


def _entry(row: Any) -> Entry:
    return Entry(
        row["group_id"], row["fact"], row["buy_id"], row["number"], row["units"], row["amount_minor"],
        row["currency"], json.loads(row["detail"]), row["actor"], row["cause"], row["at"],
    )  # fmt: skip
