"""How a group grows, as people play it: newcomers, vouches, codes, seats, the waitlist. Part of a journey."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

SEATS = (
    "SELECT (SELECT COUNT(*) FROM member m WHERE m.group_id = g.id AND m.presence IN ('invited', 'joined'))"
    " + (SELECT COUNT(*) FROM code c WHERE c.group_id = g.id AND c.status = 'live') AS taken"
    " FROM coterie_group g WHERE g.room_id = $1"
)
"""The seats that are taken in the group of a room."""


class Growth:
    """Steps of a journey, whose people, rooms and other steps these use."""

    hs: FakeHomeserver
    service: Service
    group: str
    desk: str
    rosa: Any
    person: Callable[..., Person]
    days: Callable[..., Any]
    tell: Callable[..., Any]
    told: Callable[..., list[str]]
    rest: Callable[[], Any]

    async def settled(self) -> None:
        """A week goes by, after which members may vouch."""
        await self.days(7)

    def newcomer(self, name: str = "pia", shown: str | None = None) -> Person:
        """Somebody who does not accept by themselves, with a display name that says more than their id."""
        person = self.person(name, auto_join=False)
        self.hs.world.account(person.mxid)["displayname"] = shown or f"{name_of(person.mxid).title()} of Elmstreet"
        return person

    async def vouch(self, sponsor: Person, person: Person, why: str = "") -> str:
        """A member vouches for a person; gives the line in the desk, or nothing where there is none."""
        before = len(self.hs.room(self.desk).messages(self.hs.bot))
        await self.tell(sponsor, f"!invite {person.mxid} {why}".strip())
        lines = self.hs.room(self.desk).messages(self.hs.bot)[before:]
        return lines[0].event_id if lines else ""

    async def decide(self, concierge: Person, line: str, key: str = "✅") -> str:
        """A concierge reacts to a line in the desk."""
        event_id = concierge.react(self.desk, line, key)
        await self.rest()
        return event_id

    async def code(self, maker: Person) -> str:
        """A concierge makes a code; gives what they were told."""
        await self.tell(maker, "!code")
        return self.told_code(maker)

    def told_code(self, maker: Person) -> str:
        """The newest code that a person was told."""
        found = [re.match(r"\w{4}-\w{4}-\w{4}$", text.split("\n")[0]) for text in self.told(maker)]
        codes = [match[0] for match in found if match]
        assert codes, self.told(maker)
        return codes[-1]

    async def fill(self, cap: int | None = None) -> None:
        """Rosa lowers the cap to the seats that are taken (or to `cap`): the group is full."""
        await self.tell(self.rosa, f"!cap {cap or await self.seats()}")

    async def seats(self) -> int:
        """The seats that are taken: joined, invited, reserved by a code."""
        [row] = await self.service.rows(SEATS, self.group)
        return int(row["taken"])

    async def waiting(self) -> list[str]:
        """By name: who waits for a seat, in order."""
        rows = await self.service.rows("SELECT user_id FROM waiting ORDER BY group_id, position")
        return [name_of(row["user_id"]) for row in rows]

    async def sponsors(self) -> dict[str, str | None]:
        """By name: who vouched for each person."""
        rows = await self.service.rows(
            "SELECT m.user_id, s.user_id AS sponsor FROM member m JOIN coterie_group g ON g.id = m.group_id"
            " LEFT JOIN member s ON s.group_id = m.group_id AND s.number = m.sponsor WHERE g.room_id = $1",
            self.group,
        )
        return {name_of(row["user_id"]): row["sponsor"] and name_of(row["sponsor"]) for row in rows}


def name_of(mxid: str) -> str:
    return mxid[1:].partition(":")[0]
