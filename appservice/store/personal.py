"""What is kept about one person, as it stands in the tables: for `!mydata`."""

import json
from dataclasses import dataclass

from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class PledgedUnits:
    """What a member has pledged in one buy: firm units, flexible ones, and the highest price (minor units)."""

    buy_id: str
    product: str
    status: str
    units: int
    flexible: int
    maximum: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a member owes or owed for one buy; prices in minor units."""

    id: str
    buy_id: str
    product: str
    units: int
    unit_price: int
    total: int
    currency: str
    at: int


@dataclass(frozen=True, slots=True)
class Booked:
    """A line of the ledger that is about a member."""

    at: int
    fact: str
    buy_id: str | None
    units: int
    amount: int
    currency: str | None


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a member says for a product, by its name."""

    product: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A vouch that waits for a decision: for a person (`is_code` False) or a code."""

    at: int
    why: str
    is_code: bool


@dataclass(frozen=True, slots=True)
class Questioned:
    """A question that a member has asked: what is kept of their words, and what concierges have noted about it."""

    at: int
    status: str
    texts: tuple[str, ...]
    has_picture: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A message that waits for its sender to say which group it is for."""

    at: int
    text: str
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a concierge would pledge for a member; no words once it is confirmed."""

    at: int
    buy_id: str
    words: str


@dataclass(frozen=True, slots=True)
class Said:
    """What was said once, and when."""

    what: str
    at: int


class Personal:
    """What is kept about people, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def aliases_of_sponsored(self, group_id: str, number: int) -> list[str]:
        """Give the aliases of those for whom a member has vouched."""
        rows = await self._connection.fetch(
            "SELECT alias FROM member WHERE group_id = $1 AND sponsor = $2 AND alias IS NOT NULL ORDER BY number",
            group_id, number,
        )  # fmt: skip
        return [row["alias"] for row in rows]

    async def pledged(self, group_id: str, number: int) -> list[PledgedUnits]:
        """Give what a member has pledged, by buy, oldest first."""
        rows = await self._connection.fetch(
            "SELECT b.id, p.name, b.status, b.currency, SUM(t.quantity) AS units, SUM(t.flex) AS flexible,"
            " MAX(t.max_minor) AS maximum FROM tranche t JOIN group_buy b ON b.id = t.buy_id"
            " JOIN product p ON p.id = b.product_id WHERE t.group_id = $1 AND t.number = $2"
            " GROUP BY b.id, p.name, b.status, b.currency, b.opened_at ORDER BY b.opened_at, b.id",
            group_id, number,
        )  # fmt: skip
        return [
            PledgedUnits(
                row["id"], row["name"], row["status"], row["units"], row["flexible"], row["maximum"], row["currency"]
            )
            for row in rows
        ]

    async def ordered(self, group_id: str, number: int) -> list[Ordered]:
        """Give a member's orders, oldest first."""
        rows = await self._connection.fetch(
            "SELECT o.*, p.name FROM purchase_order o JOIN group_buy b ON b.id = o.buy_id"
            " JOIN product p ON p.id = b.product_id WHERE o.group_id = $1 AND o.number = $2"
            " ORDER BY o.created_at, o.id",
            group_id, number,
        )  # fmt: skip
        return [
            Ordered(
                row["id"], row["buy_id"], row["name"], _count(row["arrived"] or row["ordered"]), row["unit_minor"],
                row["total_minor"], row["currency"], row["created_at"],
            )
            for row in rows
        ]  # fmt: skip

    async def recommended(self, group_id: str, number: int) -> list[Recommended]:
        """Give what a member recommends, oldest first."""
        rows = await self._connection.fetch(
            "SELECT r.why, r.at, p.name FROM recommendation r JOIN product p ON p.id = r.product_id"
            " WHERE r.group_id = $1 AND r.number = $2 ORDER BY r.at, p.id",
            group_id, number,
        )  # fmt: skip
        return [Recommended(row["name"], row["why"], row["at"]) for row in rows]

    async def liked(self, group_id: str, number: int) -> list[str]:
        """Give the names of the products that a member likes."""
        rows = await self._connection.fetch(
            "SELECT DISTINCT p.name FROM liked l JOIN product p ON p.id = l.product_id"
            " WHERE l.group_id = $1 AND l.number = $2 ORDER BY p.name",
            group_id, number,
        )  # fmt: skip
        return [row["name"] for row in rows]

    async def booked(self, group_id: str, number: int) -> list[Booked]:
        """Give the lines of the ledger that are about a member, in order."""
        rows = await self._connection.fetch(
            "SELECT * FROM ledger WHERE group_id = $1 AND number = $2 ORDER BY seq", group_id, number
        )
        return [
            Booked(row["at"], row["fact"], row["buy_id"], row["units"], row["amount_minor"], row["currency"])
            for row in rows
        ]

    async def asked(self, group_id: str, number: int) -> list[Asked]:
        """Give what a member has asked the concierges for and what is not decided yet."""
        rows = await self._connection.fetch(
            "SELECT * FROM vouch WHERE group_id = $1 AND sponsor = $2 AND status = 'pending' ORDER BY created_at, id",
            group_id, number,
        )  # fmt: skip
        return [Asked(row["created_at"], row["why"], row["kind"] == "code") for row in rows]

    async def codes_expire_at(self, group_id: str, number: int) -> list[int]:
        """Give when each live code of a member expires (ms)."""
        rows = await self._connection.fetch(
            "SELECT expires_at FROM code WHERE group_id = $1 AND maker = $2 AND status = 'live' ORDER BY expires_at",
            group_id, number,
        )  # fmt: skip
        return [row["expires_at"] for row in rows]

    async def questioned(self, group_id: str, number: int) -> list[Questioned]:
        """Give the questions that a member has asked, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM question WHERE group_id = $1 AND number = $2 ORDER BY asked_at, id", group_id, number
        )
        found = []
        for row in rows:
            notes = await self._connection.fetch(
                "SELECT text FROM question_note WHERE question_id = $1 ORDER BY at", row["id"]
            )
            texts = tuple(json.loads(row["text"]).values()) if row["text"] else ()
            found.append(
                Questioned(
                    row["asked_at"], row["status"], texts, row["picture"] is not None, tuple(n["text"] for n in notes)
                )
            )
        return found

    async def unplaced(self, user_id: str) -> list[Unplaced]:
        """Give what a person has asked directly and not said for which group, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM unplaced_question WHERE user_id = $1 ORDER BY asked_at, event_id", user_id
        )
        return [Unplaced(row["asked_at"], row["text"], row["picture"] is not None) for row in rows]

    async def proposed(self, group_id: str, number: int) -> list[Proposed]:
        """Give what concierges have written down for a member, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM proposal WHERE group_id = $1 AND number = $2 ORDER BY made_at, id", group_id, number
        )
        return [Proposed(row["made_at"], row["buy_id"], row["words"]) for row in rows]

    async def said(self, subject: str) -> list[Said]:
        """Give what was said once about a subject, or about one whose last words it is."""
        rows = await self._connection.fetch(
            "SELECT what, at FROM told WHERE subject = $1"
            " OR substr(subject, length(subject) - length($2) + 1) = $2 ORDER BY at, what",
            subject, f" {subject}",
        )  # fmt: skip
        return [Said(row["what"], row["at"]) for row in rows]

    async def count_guesses(self, user_id: str) -> int:
        """Count the wrong codes of a person that are remembered."""
        count: int = await self._connection.fetchval("SELECT COUNT(*) FROM guess WHERE user_id = $1", user_id)
        return count


def _count(units: str) -> int:
    return sum(n for _, n in json.loads(units))
