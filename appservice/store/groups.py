"""Groups and their members. Seats are counted under the group's lock."""

import json
from typing import Any

from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, GroupId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.service_hours import Hours
from appservice.store.db import Connection


class Groups:
    """The groups on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, group_id: str) -> Group:
        """Give a group, and hold everyone else off it until the unit ends (by writing first)."""
        row = await self._connection.fetchrow(
            "UPDATE coterie_group SET revision = revision + 1 WHERE id = $1 RETURNING *", group_id
        )
        if row is None:
            raise LookupError(f"there is no group {group_id}")
        return _group(row)

    async def get(self, group_id: str) -> Group:
        """Give a group as it is, without a lock."""
        row = await self._connection.fetchrow("SELECT * FROM coterie_group WHERE id = $1", group_id)
        if row is None:
            raise LookupError(f"there is no group {group_id}")
        return _group(row)

    async def add(self, group: Group, now: int) -> None:
        """Write a new group down."""
        await self._connection.execute(
            "INSERT INTO coterie_group (id, name, owner, cap, currency, locale, time_zone, status, created_at, room_id,"
            " bot_power, kept, encrypted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            group.id, group.name, group.owner, group.cap, group.currency, group.locale, group.time_zone,
            group.status.value, now, group.room_id, group.bot_power, json.dumps(group.kept), int(group.encrypted),
        )  # fmt: skip

    async def save(self, group: Group) -> None:
        """Write down what may change of a group."""
        await self._connection.execute(
            "UPDATE coterie_group SET status = $2, room_id = $3, desk_id = $4, name = $5, cap = $6, owner = $7,"
            " kept = $8, shown_at = $9, private_pledges = $10, hours = $11, commission = $12, card_id = $13,"
            " card_shown = $14 WHERE id = $1",
            group.id, group.status.value, group.room_id, group.desk_id, group.name, group.cap, group.owner,
            json.dumps(group.kept), group.shown_at, int(group.private_pledges), _hours_to_json(group.hours),
            group.commission, group.card_id, group.card_shown,
        )  # fmt: skip

    async def by_card(self, event_id: str) -> GroupId | None:
        """Give the group whose own card an event is."""
        found = await self._connection.fetchval("SELECT id FROM coterie_group WHERE card_id = $1", event_id)
        return GroupId(found) if found else None

    async def of_status(self, *statuses: GroupStatus) -> list[Group]:
        """Give the groups of some statuses, oldest first."""
        found = []
        for status in statuses:
            query = "SELECT * FROM coterie_group WHERE status = $1 ORDER BY created_at, id"
            found += [_group(row) for row in await self._connection.fetch(query, status.value)]
        return found

    async def of_person(self, user_id: str) -> list[tuple[Group, Member]]:
        """Give the groups that a person has joined or owns, oldest first, with who they are in each."""
        rows = await self._connection.fetch(
            "SELECT g.id FROM coterie_group g JOIN member m ON m.group_id = g.id"
            " WHERE m.user_id = $1 AND (m.presence = 'joined' OR g.owner = $1) ORDER BY g.created_at, g.id",
            user_id,
        )
        found = []
        for row in rows:
            member = await self.member(row["id"], user_id)
            if member is not None:
                found.append((await self.get(row["id"]), member))
        return found

    async def former_of_person(self, user_id: str) -> list[tuple[Group, Member]]:
        """Give the groups that a person was in and has left, with who they were in each."""
        rows = await self._connection.fetch(
            "SELECT * FROM member WHERE user_id = $1 AND presence <> 'joined' AND number IS NOT NULL", user_id
        )
        return [(await self.get(row["group_id"]), _member(row)) for row in rows]

    async def member(self, group_id: str, user_id: str) -> Member | None:
        """Give a person known to a group."""
        row = await self._connection.fetchrow(
            "SELECT * FROM member WHERE group_id = $1 AND user_id = $2", group_id, user_id
        )
        return _member(row) if row else None

    async def member_by_number(self, group_id: str, number: int) -> Member:
        """Give the member with that number."""
        row = await self._connection.fetchrow(
            "SELECT * FROM member WHERE group_id = $1 AND number = $2", group_id, number
        )
        if row is None:
            raise LookupError(f"there is no number {number} in group {group_id}")
        return _member(row)

    async def members(self, group_id: str) -> list[Member]:
        """Give everybody known to a group, by number."""
        rows = await self._connection.fetch(
            "SELECT * FROM member WHERE group_id = $1 ORDER BY number, user_id", group_id
        )
        return [_member(row) for row in rows]

    async def member_by_alias(self, group_id: str, key: str) -> Member | None:
        """Give the member who has, or once had, the alias with that key, unless they were erased."""
        row = await self._connection.fetchrow(
            "SELECT m.* FROM member m JOIN alias a ON a.group_id = m.group_id AND a.number = m.number"
            " WHERE a.group_id = $1 AND a.key = $2 AND m.user_id LIKE '@%'",
            group_id, key,
        )  # fmt: skip
        return _member(row) if row else None

    async def seats_taken(self, group_id: str) -> int:
        """Count joined members, standing invitations and live codes; call it under the group's lock."""
        count: int = await self._connection.fetchval(
            "SELECT (SELECT COUNT(*) FROM member WHERE group_id = $1 AND presence IN ('invited', 'joined'))"
            " + (SELECT COUNT(*) FROM code WHERE group_id = $1 AND status = 'live')",
            group_id,
        )
        return count

    async def count_joined(self, group_id: str) -> int:
        """Count the people who are in the group."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM member WHERE group_id = $1 AND presence = 'joined'", group_id
        )
        return count

    async def save_member(self, member: Member, now: int) -> None:
        """Write down a person's standing in a group."""
        await self._connection.execute(
            "INSERT INTO member (group_id, user_id, presence, power, number, alias, invited_by, since_at, sponsor,"
            " joined_at, suspended, name_key, duty, machine)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
            " ON CONFLICT (group_id, user_id) DO UPDATE SET"
            " presence = excluded.presence, power = excluded.power, number = excluded.number,"
            " alias = excluded.alias, invited_by = excluded.invited_by, since_at = excluded.since_at,"
            " sponsor = excluded.sponsor, joined_at = excluded.joined_at, suspended = excluded.suspended,"
            " name_key = excluded.name_key, duty = excluded.duty, machine = excluded.machine",
            member.group_id, member.user_id, member.presence.value, member.power, member.number, member.alias,
            member.invited_by, now, member.sponsor, member.joined_at, member.suspended, member.name_key,
            None if member.duty is None else int(member.duty), int(member.machine),
        )  # fmt: skip

    async def helped_at(self, group_id: str) -> dict[Number, int]:
        """Give when (ms) each member was last given a help room; 0 where never."""
        rows = await self._connection.fetch(
            "SELECT number, helped_at FROM member WHERE group_id = $1 AND number IS NOT NULL", group_id
        )
        return {Number(row["number"]): row["helped_at"] for row in rows}

    async def helps(self, group_id: str, number: int, now: int) -> None:
        """Note that a concierge is given a help room."""
        await self._connection.execute(
            "UPDATE member SET helped_at = $3 WHERE group_id = $1 AND number = $2", group_id, number, now
        )

    async def changed_since(self, group_id: str, at: int) -> set[UserId]:
        """Give the people whose standing was written down at a time (ms) or later."""
        rows = await self._connection.fetch(
            "SELECT user_id FROM member WHERE group_id = $1 AND since_at >= $2", group_id, at
        )
        return {UserId(row["user_id"]) for row in rows}

    async def next_number(self, group_id: str) -> Number:
        """Give a number that nobody in the group has ever had."""
        number: int = await self._connection.fetchval(
            "UPDATE coterie_group SET last_number = last_number + 1 WHERE id = $1 RETURNING last_number",
            group_id,
        )
        return Number(number)


def _group(row: Any) -> Group:
    return Group(
        id=GroupId(row["id"]),
        name=row["name"],
        owner=UserId(row["owner"]),
        cap=row["cap"],
        currency=row["currency"],
        locale=row["locale"],
        time_zone=row["time_zone"],
        status=GroupStatus(row["status"]),
        room_id=RoomId(row["room_id"]) if row["room_id"] else None,
        desk_id=RoomId(row["desk_id"]) if row["desk_id"] else None,
        bot_power=row["bot_power"],
        kept=json.loads(row["kept"]),
        shown_at=row["shown_at"],
        private_pledges=bool(row["private_pledges"]),
        encrypted=bool(row["encrypted"]),
        hours=_hours_from_json(row["hours"], row["time_zone"]),
        commission=row["commission"],
        card_id=EventId(row["card_id"]) if row["card_id"] else None,
        card_shown=row["card_shown"],
    )


def _hours_to_json(hours: Hours) -> str:
    return json.dumps({"week": hours.week, "holidays": hours.holidays} if hours.are_set else {})


def _hours_from_json(text: str, time_zone: str) -> Hours:
    found = json.loads(text)
    if not found:
        return Hours()
    week = tuple(tuple((begin, end) for begin, end in day) for day in found["week"])
    return Hours(week, time_zone, found["holidays"])


def _member(row: Any) -> Member:
    return Member(
        group_id=GroupId(row["group_id"]),
        user_id=UserId(row["user_id"]),
        presence=Presence(row["presence"]),
        power=row["power"],
        number=Number(row["number"]) if row["number"] is not None else None,
        alias=row["alias"],
        invited_by=UserId(row["invited_by"]) if row["invited_by"] else None,
        sponsor=Number(row["sponsor"]) if row["sponsor"] is not None else None,
        joined_at=row["joined_at"],
        suspended=row["suspended"],
        name_key=row["name_key"],
        duty=bool(row["duty"]) if row["duty"] is not None else None,
        machine=bool(row["machine"]),
    )
