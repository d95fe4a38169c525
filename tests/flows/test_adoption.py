"""Rooms that were there before: asked for, looked at, confirmed, taken over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.flows.cranked import Cranked
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Refused
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.homeserver_rooms import Room
from tests.flows.journey import Journey
from tests.flows.service import DAY, MINUTE, HandClock, Service

PUBLIC = {"m.room.join_rules": {"join_rule": "public"}, "m.room.history_visibility": {"history_visibility": "shared"}}


@dataclass
class Knitting:
    """A room of rosa's with ben, ana and otto in it, in which the bot may have power. Nobody but rosa is listed."""

    play: Journey
    room_id: str

    @property
    def room(self) -> Room:
        return self.play.hs.room(self.room_id)

    async def tell(self, words: str = "", by: Person | None = None) -> str:
        """`!adopt` with the room's id and these words; gives what was said last to whoever sent it."""
        who = by or self.play.rosa
        await self.play.tell(who, f"!adopt {self.room_id} {words}".strip())
        return self.play.told(who)[-1]

    async def adopted(self, words: str = "") -> Journey:
        """The journey in the room, which is a group now."""
        await self.tell(words)
        await self.tell("confirm")
        self.play.group = self.room_id
        self.play.desk = self.play.hs.room_named(f"Desk: {self.room.name}").room_id
        return self.play

    def state(self) -> dict[tuple[str, str], tuple[str, Any]]:
        """All of the room's state but the bot's own membership."""
        own = ("m.room.member", self.play.hs.bot)
        return {key: (event.sender, event.content) for key, event in self.room.state.items() if key != own}


def make(
    play: Journey, *, bot: int | None = 100, invite: bool = True, version: str = "11", members: int = 0, **body: Any
) -> Knitting:
    rosa, ben = play.rosa, play.ben
    users = {rosa.mxid: 100, ben.mxid: 50} | ({play.hs.bot: bot} if bot else {})
    if version == "12":
        del users[rosa.mxid]
    body = {"preset": "private_chat", "name": "Knitting", "room_version": version, **body}
    body["power_level_content_override"] = {"users": users, **body.get("power_level_content_override", {})}
    room_id = rosa.create_room(**body)
    for person in (ben, play.ana, play.otto, *(play.person(f"m{n}") for n in range(members))):
        play.service.clock.advance(1)
        rosa.invite(room_id, person.mxid)
        person.join(room_id)
    if invite:
        rosa.invite(room_id, play.hs.bot)
    return Knitting(play, room_id)


async def in_wait(play: Journey, **how: Any) -> Knitting:
    """The room, with the wish to have it adopted; the bot is invited into it afterwards."""
    knitting = make(play, invite=False, **how)
    was, play.service.patient = play.service.patient, True
    await knitting.tell()
    play.service.patient = was
    return knitting


async def looked_at(play: Journey, **how: Any) -> Knitting:
    """The room, with the bot in it and the proposal before rosa."""
    knitting = await in_wait(play, **how)
    play.rosa.invite(knitting.room_id, play.hs.bot)
    await play.rest()
    return knitting


async def test_an_owner_is_told_how_the_bot_gets_in_and_what_it_would_change(engine: str, play: Journey) -> None:
    knitting = await in_wait(play)
    before = knitting.state()
    assert play.told(play.rosa)[-1] == (
        f"I cannot get into {knitting.room_id}: I am not invited. Invite me there within a day: I look at the room as "
        "soon as I am in. To be adopted it has to give me power level 100 as well, in its member list."
    )
    for type, content in PUBLIC.items():
        play.rosa.put_state(knitting.room_id, type, content)
    play.rosa.invite(knitting.room_id, play.hs.bot)
    before = knitting.state()
    await play.rest()
    assert play.told(play.rosa)[-1].split("\n") == [
        "I can adopt “Knitting”. Nothing has changed yet; this is what I would do:",
        "• Everybody stays: 1 owner, 1 concierge, 2 members. Owners are those with power level 100 or more, concierges "
        "those with 50 or more, other programs' accounts among them; all others get 0.",
        "• Up to 200 people.",
        "• From now on only I invite: !invite, sent to me.",
        "• The room becomes invite-only.",
        "• Newcomers see nothing from before they join. What was written until now stays as visible as it was then.",
        "• Guests without an account cannot come in.",
        "• Only I may change who comes in, what newcomers see, and who has which power. Name, topic, picture and pins "
        "are the concierges' business.",
        "• 1 person has as much power as I and could change this all the same; I put it back within seconds and tell "
        "the desk.",
        "• Everybody gets an alias, and one message in the room says so. A desk is made, for owners and concierges.",
        f"To drop it, send !adopt {knitting.room_id} cancel; I also leave if I hear nothing for a day. To do it, send:",
        f"!adopt {knitting.room_id} confirm",
    ]
    assert knitting.state() == before
    assert knitting.room.membership(play.hs.bot) == "join"
    assert not knitting.room.messages(play.hs.bot)
    assert await play.service.rows("SELECT * FROM coterie_group") == []


async def test_a_confirmed_room_is_a_group_with_everybody_in_it(engine: str, play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play, bot=150)
    for type, content in PUBLIC.items():
        play.rosa.put_state(knitting.room_id, type, content)
    play.ana.make_alias(knitting.room_id, "knitting")
    hs.world.removable_aliases.add("#knitting:fake.test")
    play.rosa.put_state(knitting.room_id, "m.room.canonical_alias", {"alias": "#knitting:fake.test"})
    play.rosa.publish(knitting.room_id, force=True)
    before = len(knitting.room.events)
    await knitting.adopted("cap 80")
    room = knitting.room
    done = [event for event in room.events[before:] if event.sender == hs.bot]
    assert done[0].type == "m.room.power_levels"
    assert done[-1].type == "m.room.message"
    levels = room.content("m.room.power_levels")
    assert levels["users"] == {play.rosa.mxid: 100, play.ben.mxid: 50, hs.bot: 150}
    assert (levels["invite"], levels["state_default"], levels["events"]["m.room.join_rules"]) == (150, 100, 150)
    assert room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}
    assert room.content("m.room.guest_access") == {"guest_access": "forbidden"}
    assert room.content("m.room.canonical_alias") == {}
    assert room.content("shop.coterie.group") == {"version": 1, "cap": 80}
    assert hs.world.aliases == {} and hs.world.listed == set()
    assert await play.members() == {
        "rosa": ("joined", 100), "ben": ("joined", 50), "ana": ("joined", 0), "otto": ("joined", 0)
    }  # fmt: skip
    rows = await play.service.rows("SELECT * FROM member ORDER BY number")
    assert [row["user_id"] for row in rows] == [play.rosa.mxid, play.ben.mxid, play.ana.mxid, play.otto.mxid]
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert len({row["alias"] for row in rows}) == 4 and all(row["alias"] for row in rows)
    assert {row["joined_at"] for row in rows} == {play.service.clock.now()}
    (group,) = await play.service.rows("SELECT * FROM coterie_group")
    assert (group["name"], group["status"], group["cap"], group["bot_power"]) == ("Knitting", "open", 80, 150)
    assert (await play.ledger())[:1] == [("adopted", "rosa", 0, 0)]
    assert hs.room(play.desk).joined == {hs.bot, play.rosa.mxid, play.ben.mxid}
    assert hs.room(play.desk).content("m.room.power_levels")["users"] == {play.rosa.mxid: 100, play.ben.mxid: 50}
    said = play.posted()
    assert len(said) == 1 and "!alias Otter" in said[0] and hs.bot in said[0]
    assert "is adopted" in play.told(play.rosa)[-1]
    for person in (play.ben, play.ana, play.otto):
        assert play.told(person) == []


async def test_the_owner_is_told_of_an_address_that_cannot_be_removed(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    alias = play.ana.make_alias(knitting.room_id, "knitting")
    await knitting.adopted()
    told = [text for text in play.told(play.rosa) if alias in text]
    assert len(told) == 1 and told[0].startswith(f"The address {alias} leads to the group's room")
    assert hs.world.aliases == {alias: knitting.room_id}


async def test_in_an_adopted_room_the_service_works_as_in_any_other(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    await knitting.adopted()
    await play.open_buy("!buy open merino-throw 2:79 until friday 18:00")
    pledged = await play.say(play.ana, "+2", reply_to=play.card)
    assert play.signs(pledged) == ["✅"]
    pia = play.person("pia")
    await play.tell(play.rosa, f"!invite {pia.mxid}")
    assert pia.mxid in knitting.room.joined
    assert await play.alias(pia)
    play.otto.leave(knitting.room_id)
    await play.rest()
    assert (await play.members())["otto"] == ("left", 0)


async def test_it_is_cancelled_and_the_bot_leaves(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    before = knitting.state()
    assert await knitting.tell("cancel") == f"I have left {knitting.room_id} again. Nothing was changed there."
    assert knitting.room.membership(hs.bot) == "leave"
    assert knitting.state() == before
    assert await play.service.rows("SELECT * FROM adoption") == []
    assert await knitting.tell("cancel") == "You have not asked me to adopt that room, so there is nothing to cancel."
    await play.service.wait(DAY)
    assert "nothing to cancel" in play.told(play.rosa)[-1]


async def test_it_is_given_up_after_a_day_without_a_word(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    before = knitting.state()
    await play.service.wait(DAY - MINUTE)
    assert knitting.room.membership(hs.bot) == "join"
    await play.service.wait(MINUTE)
    assert knitting.room.membership(hs.bot) == "leave"
    assert knitting.state() == before
    assert "You have not told me within a day" in play.told(play.rosa)[-1]
    play.rosa.invite(knitting.room_id, hs.bot)
    await play.rest()
    assert knitting.room.membership(hs.bot) == "leave"


async def test_without_a_wish_no_room_is_joined(play: Journey, hs: FakeHomeserver) -> None:
    knitting = make(play)
    await play.rest()
    assert knitting.room.membership(hs.bot) == "leave"


async def test_only_listed_owners_adopt(play: Journey, hs: FakeHomeserver) -> None:
    knitting = make(play, invite=False)
    said = await knitting.tell(by=play.ben)
    assert said.startswith("Only owners can do that.")
    assert await play.service.rows("SELECT * FROM adoption") == []
    play.rosa.invite(knitting.room_id, hs.bot)
    await play.rest()
    assert knitting.room.membership(hs.bot) == "leave"


@pytest.mark.parametrize("who", ["member", "stranger"])
async def test_a_room_of_others_is_left_at_once(play: Journey, hs: FakeHomeserver, who: str) -> None:
    knitting = await in_wait(play)
    play.ben.put_state(
        knitting.room_id, "m.room.power_levels", {"users": {play.rosa.mxid: 50, hs.bot: 100}}, force=True
    )
    play.rosa.invite(knitting.room_id, hs.bot)
    if who == "stranger":
        play.rosa.leave(knitting.room_id)
    await play.rest()
    assert play.told(play.rosa)[-1] == (
        "Only an owner of the room can have it adopted: somebody who is in it with power level 100. I stay out of it."
    )
    assert knitting.room.membership(hs.bot) == "leave"
    assert await play.service.rows("SELECT * FROM adoption") == []


async def test_the_bot_says_which_power_it_needs_and_stays_until_it_has_it(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play, bot=None)
    assert play.told(play.rosa)[-1].startswith("My power level in that room is 0, and I need 100:")
    assert knitting.room.membership(hs.bot) == "join"
    levels = knitting.room.content("m.room.power_levels")
    users = {**levels["users"], hs.bot: 100}
    play.rosa.put_state(knitting.room_id, "m.room.power_levels", {**levels, "users": users})
    before = knitting.state()
    said = await knitting.tell("confirm cap 40")  # nothing was proposed yet
    assert said.startswith("I can adopt “Knitting”.") and "• Up to 40 people." in said
    assert knitting.state() == before
    await knitting.tell("confirm")
    assert knitting.room.content("shop.coterie.group") == {"version": 1, "cap": 40}


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"version": "9"}, "That room has version 9; I adopt versions 10 and 11."),
        ({"version": "12"}, "In a room of version 12 nobody outranks those who made it"),
        ({"creation_content": {"type": "m.space"}}, "That is a space or a room of another special kind"),
    ],
)
async def test_a_room_that_cannot_be_a_group_is_left(
    play: Journey, hs: FakeHomeserver, how: dict[str, Any], sentence: str
) -> None:
    knitting = await looked_at(play, **how)
    assert play.told(play.rosa)[-1].startswith(sentence)
    assert knitting.room.membership(hs.bot) == "leave"
    assert await play.service.rows("SELECT * FROM adoption") == []
    assert await play.service.rows("SELECT * FROM coterie_group") == []


async def test_what_changes_between_proposal_and_word_counts_as_it_is_then(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play, bot=120)
    pia = play.person("pia")
    play.rosa.invite(knitting.room_id, pia.mxid)
    play.otto.leave(knitting.room_id)
    await knitting.adopted()
    assert set(await play.members()) == {"rosa", "ben", "ana", "pia"}


async def test_a_room_that_is_replaced_before_the_word_is_left_alone(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    play.rosa.put_state(knitting.room_id, "m.room.tombstone", {"body": "moved", "replacement_room": "!x:fake.test"})
    before = knitting.state()
    assert await knitting.tell("confirm") == "That room was replaced by another one. Have the new one adopted."
    assert knitting.state() == before
    assert knitting.room.membership(hs.bot) == "leave"
    assert await play.service.rows("SELECT * FROM coterie_group") == []


async def test_confirming_what_was_never_proposed_only_proposes(play: Journey, hs: FakeHomeserver) -> None:
    knitting = make(play, invite=False, power_level_content_override={"users_default": 0})
    knitting.room.state["m.room.join_rules", ""].content["join_rule"] = "public"
    before = knitting.state()
    assert (await knitting.tell("confirm cap 40")).endswith(f"!adopt {knitting.room_id} confirm")
    assert "Up to 40 people." in play.told(play.rosa)[-1]
    assert knitting.state() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("#knitting:fake.test", "I need the room's own id"),
        ("knitting", "I need the room's own id"),
        ("!abc:fake.test please", "Write it like this: !adopt !OurRoom:example.org"),
        ("", "Write it like this: !adopt !OurRoom:example.org"),
        ("!abc:fake.test cap 1", "A group's cap is from 2 to 500."),
        ("!abc:fake.test confirm cap 501", "A group's cap is from 2 to 500."),
    ],
)
async def test_what_cannot_be_read_is_refused(play: Journey, hs: FakeHomeserver, words: str, sentence: str) -> None:
    await play.tell(play.rosa, f"!adopt {words}")
    assert play.told(play.rosa)[-1].startswith(sentence)
    assert await play.service.rows("SELECT * FROM adoption") == []


async def test_a_room_of_the_service_is_not_adopted(circle: Journey, hs: FakeHomeserver) -> None:
    own = next(room for room in hs.world.rooms.values() if room.name.startswith("Coterie, nothing"))
    direct = await circle.direct(circle.rosa)
    for room_id in (circle.group, circle.desk, direct, own.room_id):
        await circle.tell(circle.rosa, f"!adopt {room_id}")
        assert circle.told(circle.rosa)[-1] == "That room is one of mine already."
        await circle.tell(circle.rosa, f"!adopt {room_id} confirm")
        assert circle.told(circle.rosa)[-1] == "That room is one of mine already."
        assert hs.bot in hs.room(room_id).joined
    assert await circle.service.rows("SELECT * FROM adoption") == []


# Seats


async def test_over_the_cap_everybody_stays_and_nobody_comes_in(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play, members=2)
    said = await knitting.tell("cap 3")
    assert "• Up to 3 people, and 6 are there: nobody else comes in while it is so." in said.split("\n")
    await knitting.adopted("cap 3")
    assert len(await play.members()) == 6
    pia = play.person("pia")
    await play.tell(play.rosa, f"!invite {pia.mxid}")
    assert "no. 1 on the waitlist" in play.told(play.rosa)[-1]
    play.ana.leave(knitting.room_id)
    await play.rest()
    assert pia.mxid not in knitting.room.joined
    assert len(knitting.room.joined - {hs.bot}) == 5


async def test_invitations_stay_good_while_there_are_seats(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    zoe, uma = play.person("zoe", auto_join=False), play.person("uma", auto_join=False)
    for person in (zoe, uma):
        play.service.clock.advance(1)
        play.rosa.invite(knitting.room_id, person.mxid)
    said = (await knitting.tell("cap 5")).split("\n")
    assert "• 1 open invitation stays good." in said
    assert any("1 invitation finds no seat" in line for line in said)
    await knitting.adopted("cap 5")
    assert knitting.room.invited == {zoe.mxid}
    zoe.join(knitting.room_id)
    await play.rest()
    assert (await play.members())["zoe"] == ("joined", 0)
    play.otto.leave(knitting.room_id)
    await play.rest()
    assert knitting.room.invited == {uma.mxid}
    await play.service.wait(7 * DAY)
    assert knitting.room.invited == set()


async def test_who_comes_in_by_another_way_over_the_cap_is_removed_and_first_on_the_waitlist(
    play: Journey, hs: FakeHomeserver
) -> None:
    knitting = await looked_at(play)
    await knitting.adopted("cap 4")
    pia = play.person("pia", auto_join=False)
    play.rosa.invite(knitting.room_id, pia.mxid)
    pia.join(knitting.room_id)
    await play.rest()
    assert knitting.room.membership(pia.mxid) == "leave"
    pia.join_all()
    await play.rest()
    assert "first on the waitlist" in play.told(pia)[-1]
    waiting = await play.service.rows("SELECT user_id FROM waiting")
    assert [row["user_id"] for row in waiting] == [pia.mxid]


async def test_an_owner_at_the_bots_level_may_leave_and_keeps_what_cannot_be_taken(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    knitting = await looked_at(play)
    levels = knitting.room.content("m.room.power_levels")
    users = {**levels["users"], play.ana.mxid: 100}
    play.rosa.put_state(knitting.room_id, "m.room.power_levels", {**levels, "users": users})
    await knitting.adopted()
    assert hs.room(play.desk).joined == {hs.bot, play.rosa.mxid, play.ben.mxid, play.ana.mxid}
    play.ana.leave(knitting.room_id)
    await play.rest()
    await service.assert_nothing_set_aside()
    assert (await play.members())["ana"] == ("left", 100)
    assert play.ana.mxid not in hs.room(play.desk).joined
    await play.tell(play.rosa, f"!concierge remove {play.ben.mxid}")
    assert knitting.room.content("m.room.power_levels")["users"] == {
        play.rosa.mxid: 100, play.ana.mxid: 100, hs.bot: 100
    }  # fmt: skip


async def test_a_handover_in_an_adopted_room_asks_nothing_that_is_refused(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    knitting = await looked_at(play)
    await knitting.adopted()
    await play.tell(play.rosa, f"!handover {play.ana.mxid} confirm")
    await service.assert_nothing_set_aside()
    users = knitting.room.content("m.room.power_levels")["users"]
    assert users == {play.rosa.mxid: 100, play.ana.mxid: 100, play.ben.mxid: 50, hs.bot: 100}


# Twice, and broken off


async def test_confirming_twice_makes_one_group(engine: str, play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    direct = await play.direct(play.rosa)
    for _ in range(3):
        play.rosa.say(direct, f"!adopt {knitting.room_id} confirm")
    await play.rest()
    assert len(await play.service.rows("SELECT * FROM coterie_group")) == 1
    assert [room.name for room in hs.world.rooms.values() if room.name.startswith("Desk: ")] == ["Desk: Knitting"]
    assert len(knitting.room.messages(hs.bot)) == 1
    assert "is adopted" in " ".join(play.told(play.rosa))


async def test_a_desk_that_could_not_be_made_is_made_when_its_owner_asks_again(
    play: Journey, hs: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    knitting = await looked_at(play)
    usual = hs.world.create_room

    def refused(creator: str, body: dict[str, Any]) -> Room:
        if creator == hs.bot:
            raise Refused(403, "M_FORBIDDEN", "You are not permitted to create rooms")
        return usual(creator, body)

    monkeypatch.setattr(hs.world, "create_room", refused)
    await knitting.tell("confirm")
    assert "would not make" in play.told(play.rosa)[-1]
    assert f"!adopt {knitting.room_id}" in play.told(play.rosa)[-1]
    monkeypatch.undo()
    pia = play.person("pia", auto_join=False)
    play.rosa.invite(knitting.room_id, pia.mxid)
    assert "is adopted" in await knitting.tell()
    assert hs.room_named("Desk: Knitting").joined == {hs.bot, play.rosa.mxid, play.ben.mxid}
    assert await knitting.tell() == "That room is one of mine already."


async def test_what_is_cut_off_on_the_way_is_done_once(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await looked_at(play)
    hs.faults.on_request(Fault.ANSWER_LOST, match="GET .*state$")
    hs.faults.on_request(Fault.ANSWER_502, match="PUT .*m.room.power_levels")
    hs.faults.on_request(Fault.ANSWER_502, match="PUT .*send/m.room.message")
    hs.faults.on_request(Fault.ANSWER_LOST, match="POST .*createRoom")
    play.service.patient = True
    await knitting.tell("confirm")
    assert len(await play.service.rows("SELECT * FROM coterie_group")) == 1
    assert len(knitting.room.messages(hs.bot)) == 1
    assert [room.name for room in hs.world.rooms.values() if room.name.startswith("Desk: ")] == ["Desk: Knitting"]


@pytest.mark.parametrize(
    ("engine", "twice"),
    [("sqlite", True), pytest.param("postgres", False, marks=pytest.mark.slow)],
    indirect=["engine"],
)
async def test_an_adoption_cancelled_at_every_suspension_makes_one_group(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str, twice: bool
) -> None:
    async with Cranked(hs, clock, database, twice=twice) as service:
        service.patient = True
        await service.start()
        knitting = await looked_at(Journey(hs, service))
        play = await knitting.adopted("cap 80")
        await service.assert_nothing_set_aside()
        assert set(await play.members()) == {"rosa", "ben", "ana", "otto"}
        assert [fact for fact, *_ in await play.ledger()] == ["adopted"]
        assert len(await service.rows("SELECT * FROM alias")) == 4
    assert [room.name for room in hs.world.rooms.values() if room.name.startswith("Desk: ")] == ["Desk: Knitting"]
    assert len(knitting.room.messages(hs.bot)) == 1
    assert knitting.room.content("shop.coterie.group") == {"version": 1, "cap": 80}
    assert service.cuts > 300
    hs.assert_conformant()
