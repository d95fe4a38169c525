"""Whatever people do in whatever order and all at once: the cap holds, and the service knows who is where."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import INVITE_BLOCKED, Refused
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, Service
from tests.flows.test_seats import force_in

pytestmark = pytest.mark.usefixtures("nobody_exposed")

ROUNDS = 15
CAP = 10


class Crowd:
    """Ten people and what they may do; `chance` decides who does what."""

    def __init__(self, play: Journey, seed: int) -> None:
        self.play, self.chance = play, random.Random(seed)
        self.people: list[Person] = [play.newcomer(f"p{n}") for n in range(10)]
        self.codes = ["2222-2222-2222"]
        self.directs: dict[str, str] = {}

    async def meet(self) -> None:
        for person in [*self.people, self.play.rosa, self.play.ben]:
            self.directs[person.mxid] = await self.play.direct(person)

    def act(self) -> None:
        """One of them does something, or tries to."""
        play, who = self.play, self.chance.choice(self.people)
        usual = {
            "ben invites": lambda: play.ben.say(play.desk, f"!invite {who.mxid}"),
            "rosa invites": lambda: play.rosa.say(self.directs[play.rosa.mxid], f"!invite {who.mxid}"),
            "ben makes a code": lambda: play.ben.say(self.directs[play.ben.mxid], "!code"),
            "brings a code": lambda: who.say(self.directs[who.mxid], self.chance.choice(self.codes)),
            "accepts": lambda: who.join(play.group),
            "leaves": lambda: who.leave(play.group),
            "is removed": lambda: play.ben.kick(play.group, who.mxid),
            "gets in": lambda: play.room.membership(who.mxid) in ("leave", "invite") and force_in(play, who),
        }
        rare = {
            "is banned": lambda: play.ben.ban(play.group, who.mxid),
            "may come back": lambda: play.hs.world.set_membership(play.ben.mxid, play.group, who.mxid, "unban"),
            "is taken off": lambda: play.ben.say(play.desk, f"!waitlist drop {who.mxid}"),
            "blocks us": lambda: play.hs.refuse_invites(who.mxid, self.chance.choice([INVITE_BLOCKED, None])),
        }
        deeds = rare if self.chance.random() < 0.15 else usual
        with suppress(Refused):
            deeds[self.chance.choice(list(deeds))]()

    async def check(self) -> None:
        """The room, the database and the cap agree."""
        play = self.play
        present = {user for user in play.room.joined | play.room.invited if user != play.hs.bot}
        rows = await play.service.rows("SELECT user_id, presence, number, alias FROM member")
        known = {row["user_id"]: row["presence"] for row in rows}
        memberships = {"invited": "invite", "joined": "join", "left": "leave", "banned": "ban"}
        assert {user: memberships[presence] for user, presence in known.items()} == {
            user: play.room.membership(user) for user in known
        }
        assert present <= set(known) and await play.seats() <= CAP
        waiting = await play.service.rows("SELECT user_id FROM waiting")
        assert not present & {row["user_id"] for row in waiting}
        assert not waiting or await play.seats() == CAP, "somebody waits while there is a seat"
        numbers = [row["number"] for row in rows if row["number"] is not None]
        assert len(numbers) == len(set(numbers)) == len({row["alias"] for row in rows if row["alias"]})


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_cap_holds_and_everybody_is_where_the_service_believes_them_to_be(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service, seed: int
) -> None:
    await circle.fill(CAP)
    crowd = Crowd(circle, seed)
    await crowd.meet()
    for _ in range(ROUNDS):
        hs.pause_delivery()
        for _ in range(crowd.chance.randint(1, 8)):
            crowd.act()
        hs.resume()
        await circle.rest()
        told = [text.split("\n")[0] for text in circle.told(circle.ben)]
        crowd.codes += [text for text in told if len(text) == 14 and text.count("-") == 2]
        await crowd.check()
        service.clock.advance(crowd.chance.choice([1, DAY, 4 * DAY]))
        service.ring()
        await circle.rest()
        await crowd.check()
