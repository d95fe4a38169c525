"""Forgetting a person: all the SQL that takes their Matrix id, and what else is theirs, out of the database.

Numbers and aliases stay, and with them the ledger and the sums of every group buy.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from appservice.domain.ids import GroupId
from appservice.domain.member import erased_id
from appservice.store.db import Connection

_SOMEBODY = "somebody who was erased"
_ABOUT = " WHERE (subject = $1 OR substr(subject, length(subject) - length($2) + 1) = $2)"
"""Rows about something: it is their subject, or the end of it."""


class Erasing:
    """What is to be forgotten, on one connection. Whoever changes a group's part of it holds that group's lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def groups_of(self, user_id: str) -> list[GroupId]:
        """Give the groups that know of a person in whatever way, in the order in which they are to be locked."""
        rows = await self._connection.fetch(
            "SELECT group_id FROM member WHERE user_id = $1 UNION SELECT group_id FROM waiting WHERE user_id = $1"
            " UNION SELECT group_id FROM vouch WHERE user_id = $1"
            " UNION SELECT id AS group_id FROM coterie_group WHERE owner = $1 ORDER BY group_id",
            user_id,
        )
        return [GroupId(row["group_id"]) for row in rows]

    async def has_orders(self, group_id: str, number: int, statuses: Collection[str]) -> bool:
        """Tell whether a member has an order of a buy of one of these statuses, or money to come back from any."""
        rows = await self._connection.fetch(
            "SELECT b.status, o.status AS order_status, (SELECT COALESCE(SUM(p.amount_minor), 0) FROM payment p"
            " WHERE p.buy_id = o.buy_id AND p.order_id = o.id) AS received"
            " FROM purchase_order o JOIN group_buy b ON b.id = o.buy_id WHERE o.group_id = $1 AND o.number = $2",
            group_id, number,
        )  # fmt: skip
        return any(
            row["status"] in statuses if row["order_status"] in ("owed", "paid") else row["received"] > 0
            for row in rows
        )

    async def in_group(self, group_id: str, user_id: str, number: int | None) -> None:
        """Forget a person in one group: their row keeps number and alias, or goes where they have neither."""
        run = self._connection.execute
        erased = erased_id(number or 0)
        await run("DELETE FROM waiting WHERE group_id = $1 AND user_id = $2", group_id, user_id)
        await run("UPDATE waiting SET asked_by = user_id WHERE group_id = $1 AND asked_by = $2", group_id, user_id)
        await run("UPDATE member SET invited_by = NULL WHERE group_id = $1 AND invited_by = $2", group_id, user_id)
        await run("DELETE FROM vouch WHERE group_id = $1 AND user_id = $2", group_id, user_id)
        await run("UPDATE coterie_group SET owner = $3 WHERE id = $1 AND owner = $2", group_id, user_id, erased)
        await self._forget_in_policy(group_id, user_id)
        if number is None:
            await run("DELETE FROM member WHERE group_id = $1 AND user_id = $2", group_id, user_id)
            return
        await run(
            "UPDATE member SET user_id = $3, presence = 'left', power = 0, invited_by = NULL, suspended = NULL,"
            " name_key = NULL, duty = NULL, machine = 0, helped_at = 0 WHERE group_id = $1 AND user_id = $2",
            group_id, user_id, erased,
        )  # fmt: skip
        await run("DELETE FROM vouch WHERE group_id = $1 AND sponsor = $2 AND status = 'pending'", group_id, number)
        await run(
            "DELETE FROM timer WHERE kind = 'code' AND subject IN"
            " (SELECT id FROM code WHERE group_id = $1 AND maker = $2 AND status = 'live')",
            group_id, number,
        )  # fmt: skip
        await run(
            "UPDATE code SET status = 'ended' WHERE group_id = $1 AND maker = $2 AND status = 'live'", group_id, number
        )
        await run("DELETE FROM recommendation WHERE group_id = $1 AND number = $2", group_id, number)
        await run("DELETE FROM liked WHERE group_id = $1 AND number = $2", group_id, number)
        await run("DELETE FROM told" + _ABOUT, *_subject(f"{group_id} {number}"))  # noqa: S608
        await run("DELETE FROM proposal WHERE group_id = $1 AND number = $2", group_id, number)
        await self._forget_questions(group_id, number)

    async def _forget_questions(self, group_id: str, number: int) -> None:
        """Forget what a member has asked, with what was noted about it and which events it was; that they asked, and
        when they were answered, stays."""
        run = self._connection.execute
        of_group = "question_id IN (SELECT id FROM question WHERE group_id = $1"
        await run(f"DELETE FROM question_note WHERE {of_group} AND number = $2)", group_id, number)  # noqa: S608
        await run(f"DELETE FROM question_event WHERE {of_group} AND number = $2)", group_id, number)  # noqa: S608
        await run(f"DELETE FROM question_event WHERE {of_group}) AND number = $2", group_id, number)  # noqa: S608
        await run(
            "UPDATE question SET room_id = NULL, event_id = NULL, text = NULL, picture = NULL, root_id = NULL,"
            " shown = NULL WHERE group_id = $1 AND number = $2",
            group_id, number,
        )  # fmt: skip

    async def _forget_in_policy(self, group_id: str, user_id: str) -> None:
        """Take a person out of the room's policy as it was at adoption."""
        kept = await self._connection.fetchval("SELECT kept FROM coterie_group WHERE id = $1", group_id)
        if _names(kept, _quoted(user_id)):
            without = json.dumps(_without(json.loads(kept), user_id))
            await self._connection.execute("UPDATE coterie_group SET kept = $2 WHERE id = $1", group_id, without)

    async def rest_of_group(self, group_id: str) -> None:
        """Forget who was never a member of a group, but vouched for or waiting."""
        await self._connection.execute("DELETE FROM waiting WHERE group_id = $1", group_id)
        await self._connection.execute("DELETE FROM vouch WHERE group_id = $1 AND status = 'pending'", group_id)

    async def person(self, user_id: str) -> None:
        """Forget what is kept about a person beyond groups, but for the direct room and what is owed there."""
        run = self._connection.execute
        await run("DELETE FROM guess WHERE user_id = $1", user_id)
        await run("DELETE FROM adoption WHERE owner = $1", user_id)
        await run("DELETE FROM unplaced_question WHERE user_id = $1", user_id)
        await self._keys(user_id)
        await run("DELETE FROM told" + _ABOUT, *_subject(user_id))  # noqa: S608
        others = "DELETE FROM timer" + _ABOUT + " AND kind NOT IN ('forget', 'forgotten')"  # noqa: S608
        await run(others, *_subject(user_id))

    async def _keys(self, user_id: str) -> None:
        """Forget a person's devices, and the keys to what they wrote. Where one of their devices is still to be given a
        key, the session goes: the next one is for those who are there then."""
        run = self._connection.execute
        theirs = "SELECT identity_key FROM crypto_device WHERE user_id = $1"
        await run(f"DELETE FROM crypto_olm_session WHERE sender_key IN ({theirs})", user_id)  # noqa: S608
        for table in (
            "crypto_device",
            "crypto_tracked_user",
            "crypto_cross_signing_keys",
            "megolm_inbound",
            "megolm_index",
        ):
            await run(f"DELETE FROM {table} WHERE user_id = $1", user_id)  # noqa: S608
        await run(
            "DELETE FROM crypto_cross_signing_signatures WHERE signed_user_id = $1 OR signer_user_id = $1", user_id
        )
        for row in await self._connection.fetch("SELECT room_id, missing FROM megolm_outbound WHERE missing <> '[]'"):
            if any(user == user_id for user, _ in json.loads(row["missing"])):
                await run("DELETE FROM megolm_outbound WHERE room_id = $1", row["room_id"])

    # What was sent and received

    async def is_owed(self, user_id: str) -> bool:
        """Tell whether something that names a person is still to be sent or handled."""
        for table in ("effect", "arrival"):
            if await self._rows(table, user_id, " AND status = 'waiting'"):
                return True
        return False

    async def traces(self, user_id: str) -> None:
        """Forget a person in what was sent and received, where nothing that names them is waiting any more.

        What others have not come for yet keeps its sense without the id; what was set aside is given up.
        """
        for table in ("effect", "arrival"):
            for row in await self._rows(table, user_id):
                if row["status"] in ("sent", "done") or _is_addressed(row, user_id):
                    await self._connection.execute(f"DELETE FROM {table} WHERE seq = $1", row["seq"])  # noqa: S608
                else:
                    content = _held_for_another(row, user_id)
                    status = row["status"] if content is not None else "dropped"
                    await self._connection.execute(
                        f"UPDATE {table} SET content = $2, status = $3, error = NULL, id = $4 WHERE seq = $1",  # noqa: S608
                        row["seq"], content, status, _pattern(user_id).sub(f"erased {row['seq']}", row["id"]),
                    )  # fmt: skip
        await self._connection.execute("UPDATE arrival SET sender = NULL, session_id = NULL WHERE sender = $1", user_id)

    async def _rows(self, table: str, user_id: str, more: str = "") -> list[Any]:
        """Give the rows of a table in which a person is named."""
        columns = ("id", "lane", "content", "error")
        needles = (user_id, _quoted(user_id))
        named = " OR ".join(f"replace({name}, ${n}, '') <> {name}" for name in columns for n in (1, 2))
        rows = await self._connection.fetch(f"SELECT * FROM {table} WHERE ({named}){more} ORDER BY seq", *needles)  # noqa: S608
        return [row for row in rows if any(_names(row[name], one) for name in columns for one in needles)]


def _subject(subject: str) -> tuple[str, str]:
    """Give a subject whole, and as the end of another."""
    return subject, f" {subject}"


def _quoted(user_id: str) -> str:
    """Give an id as it stands within JSON."""
    return json.dumps(user_id)[1:-1]


def _pattern(user_id: str) -> re.Pattern[str]:
    """Match this id, and not one that begins with it."""
    return re.compile(re.escape(user_id) + r"(?![A-Za-z0-9:-]|\.[A-Za-z0-9])")


def _names(text: str | None, user_id: str) -> bool:
    return text is not None and _pattern(user_id).search(text) is not None


def _is_addressed(row: Any, user_id: str) -> bool:
    """Tell whether something is about nobody but this person: a message to them, an invitation, their removal."""
    return bool(row["lane"].endswith(f" {user_id}"))


def _held_for_another(row: Any, user_id: str) -> str | None:
    """Give what waits for somebody else to come, without the id; None for what was set aside."""
    return _pattern(_quoted(user_id)).sub(_SOMEBODY, row["content"]) if row["status"] == "held" else None


def _without(value: Any, user_id: str) -> Any:
    """Give a JSON value without the keys and items that are this id."""
    if isinstance(value, dict):
        return {name: _without(item, user_id) for name, item in value.items() if user_id not in (name, item)}
    return [_without(item, user_id) for item in value if item != user_id] if isinstance(value, list) else value
