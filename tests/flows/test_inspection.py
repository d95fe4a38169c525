"""What no event told, or what got lost, is found within the hour and at every start."""

from __future__ import annotations

import logging

import pytest

from appservice.actions import inspection
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.ids import EventId, GroupId, RoomId, UserId
from appservice.wire.room_state import InRoom, RoomState, StateEvent
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Json
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import HOUR, MINUTE, Service

ENCRYPTED = {"algorithm": "m.megolm.v1.aes-sha2"}


def unseen(play: Journey, who: Person | str, type: str, content: Json, key: str = "", room: str | None = None) -> str:
    """State that came about without the service's hearing of it."""
    world, sender = play.hs.world, who if isinstance(who, str) else who.mxid
    return world._append(play.hs.room(room or play.group), type, sender, content, key, silent=True).event_id


def moved(play: Journey, who: Person, membership: str, *, room: str | None = None) -> None:
    unseen(play, who, "m.room.member", {"membership": membership, "displayname": "X"}, who.mxid, room)


async def an_hour(play: Journey) -> None:
    await play.service.wait(HOUR)


async def facts(service: Service, *wanted: str) -> list[str]:
    rows = await service.rows("SELECT fact FROM ledger ORDER BY seq")
    return [row["fact"] for row in rows if row["fact"] in wanted]


# Policy


async def test_policy_that_was_changed_unheard_is_put_back_within_the_hour(
    engine: str, circle: Journey, service: Service
) -> None:
    alias, before = await circle.alias(circle.ben), len(circle.posted(circle.desk))
    unseen(circle, circle.ben, "m.room.history_visibility", {"history_visibility": "shared"})
    unseen(circle, circle.ben, "m.room.power_levels", {"users": {circle.ben.mxid: 100}})
    unseen(circle, circle.ben, "im.vector.modular.widgets", {"url": "https://x.example"}, "w1")
    unseen(circle, circle.ben, "m.room.join_rules", {"join_rule": "public"}, room=circle.desk)
    await an_hour(circle)
    assert circle.room.content("m.room.history_visibility") == {"history_visibility": "joined"}
    users = {circle.rosa.mxid: 100, circle.ben.mxid: 50}
    assert circle.room.content("m.room.power_levels")["users"] == users
    assert circle.room.content("im.vector.modular.widgets", "w1") == {}
    assert circle.hs.room(circle.desk).content("m.room.join_rules") == {"join_rule": "invite"}
    assert sorted(circle.posted(circle.desk)[before:]) == sorted([
        f"{alias} changed who may do what (the power levels) in the group's room. I have put it back.",
        f"{alias} changed who can read what was said before in the group's room. I have put it back.",
        f"{alias} changed the widgets in the group's room. I have put it back.",
        f"{alias} changed who may join in this desk. I have put it back.",
    ])  # fmt: skip
    assert await facts(service, "restored") == ["restored"] * 4
    await an_hour(circle)
    assert await facts(service, "restored") == ["restored"] * 4
    assert circle.posted() == []


async def test_a_start_finds_what_happened_while_nobody_looked(engine: str, circle: Journey, service: Service) -> None:
    await service.stop()
    unseen(circle, circle.ben, "m.room.join_rules", {"join_rule": "public"})
    await service.start()
    assert circle.room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert circle.posted(circle.desk)[-1].startswith(f"{await circle.alias(circle.ben)} changed who may join")


async def test_a_group_that_has_no_inspection_yet_gets_one_at_the_start(circle: Journey, service: Service) -> None:
    await service.stop()
    async with service.store.unit() as unit:
        for row in await service.rows("SELECT subject FROM timer WHERE kind = 'inspection'"):
            await unit.timers.clear("inspection", row["subject"])
    await service.start()
    due = await service.rows("SELECT due_at FROM timer WHERE kind = 'inspection'")
    assert due == [{"due_at": service.clock.now() + HOUR}]
    assert len(circle.hs.requests("GET .*/rooms/[^/]+/state$")) >= 2


async def test_messages_that_a_member_removes_make_nobody_look(circle: Journey, hs: FakeHomeserver) -> None:
    said = await circle.say(circle.ana, "hello")
    await circle.redact(circle.ana, said)
    before = len(hs.requests("GET .*/state$"))
    await circle.service.wait(MINUTE)
    assert len(hs.requests("GET .*/state$")) == before
    for _ in range(20):
        circle.ben.redact(circle.group, circle.ben.say(circle.group, "spam"))
    await circle.rest()
    await circle.service.wait(MINUTE)
    assert len(hs.requests("GET .*/state$")) == before + 2, "one look at both rooms"


async def test_state_that_a_concierge_redacts_is_set_again_within_seconds(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    before = len(circle.posted(circle.desk))
    for type in ("m.room.guest_access", "shop.coterie.group"):
        circle.ben.redact(circle.group, circle.room.state[type, ""].event_id)
    await circle.rest()
    await circle.service.wait(2_000)
    assert circle.room.content("m.room.guest_access") == {"guest_access": "forbidden"}
    assert circle.room.content("shop.coterie.group") == {"version": 1, "cap": 200}
    ben = await circle.alias(circle.ben)
    assert circle.posted(circle.desk)[before:] == [
        f"{ben} changed whether guests may enter in the group's room. I have put it back.",
        f"{ben} changed the mark by which clients know the group and its cap in the group's room. I have put it back.",
    ]


async def test_what_the_service_itself_set_wrongly_is_put_right_silently(circle: Journey, service: Service) -> None:
    before = len(circle.posted(circle.desk))
    unseen(circle, circle.hs.bot, "m.room.join_rules", {"join_rule": "knock"})
    await an_hour(circle)
    assert circle.room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert len(circle.posted(circle.desk)) == before and await facts(service, "restored") == []


async def test_encryption_that_was_turned_on_unheard_is_accepted_and_then_kept(circle: Journey) -> None:
    unseen(circle, circle.ben, "m.room.encryption", ENCRYPTED)
    await an_hour(circle)
    assert "turned encryption on" in circle.posted(circle.desk)[-1]
    unseen(circle, circle.ben, "m.room.encryption", {})
    await an_hour(circle)
    assert circle.room.content("m.room.encryption") == ENCRYPTED


async def test_a_change_that_event_and_inspection_both_show_is_told_once(circle: Journey, service: Service) -> None:
    circle.hs.pause_delivery()
    circle.ben.put_state(circle.group, "m.room.join_rules", {"join_rule": "public"}, force=True)
    service.clock.advance(HOUR)
    service.ring()
    await service.until(lambda: circle.room.content("m.room.join_rules") == {"join_rule": "invite"})
    before = len(circle.posted(circle.desk))
    circle.hs.resume()
    await circle.rest()
    assert len(circle.posted(circle.desk)) in (before, before + 1)
    assert len([text for text in circle.posted(circle.desk) if "changed who may join" in text]) == 1
    assert await facts(service, "restored") == ["restored"]


async def test_a_room_that_cannot_be_looked_at_is_looked_at_in_the_next_hour(circle: Journey, service: Service) -> None:
    unseen(circle, circle.ben, "m.room.join_rules", {"join_rule": "public"})
    circle.hs.faults.on_request(Fault.ERROR_500, times=None, match="GET .*/state$")
    await an_hour(circle)
    await service.wait(MINUTE)
    assert circle.room.content("m.room.join_rules") == {"join_rule": "public"}
    circle.hs.faults.clear()
    await an_hour(circle)
    assert circle.room.content("m.room.join_rules") == {"join_rule": "invite"}


# People


async def test_who_has_left_or_was_banned_unheard_gives_the_seat_back(engine: str, circle: Journey) -> None:
    service = circle.service
    await circle.tell(circle.rosa, "!cap 5")
    eve, zoe = circle.person("eve"), circle.person("zoe", auto_join=False)
    await circle.tell(circle.rosa, f"!invite {eve.mxid}")
    assert "no. 1 on the waitlist" in circle.told(circle.rosa)[-1]
    moved(circle, circle.ana, "leave")
    moved(circle, circle.otto, "ban")
    moved(circle, circle.ben, "leave")
    await an_hour(circle)
    members = await circle.members()
    assert {name: members[name] for name in ("ana", "otto", "ben")} == {
        "ana": ("left", 0), "otto": ("banned", 0), "ben": ("left", 0),
    }  # fmt: skip
    assert members["eve"] == ("joined", 0), "who waited has the seat"
    assert circle.room.level(circle.ben.mxid) == 0
    assert circle.hs.room(circle.desk).membership(circle.ben.mxid) == "leave"
    assert (await facts(service, "left", "banned"))[-3:].count("left") == 2
    moved(circle, circle.otto, "leave")
    await an_hour(circle)
    assert (await circle.members())["otto"][0] == "left", "the ban was lifted"
    assert zoe.invitations == []


async def test_who_has_come_in_unheard_becomes_a_member_or_is_removed_newest_first(
    engine: str, circle: Journey, service: Service
) -> None:
    await circle.tell(circle.rosa, "!cap 6")
    eve, zoe, kim = (circle.person(name) for name in ("eve", "zoe", "kim"))
    for person in (zoe, eve, kim):
        moved(circle, person, "join")
        service.clock.advance(1_000)
    await an_hour(circle)
    members = await circle.members()
    assert members["zoe"] == ("joined", 0), "who came first"
    assert {circle.room.membership(person.mxid) for person in (eve, kim)} == {"leave"}
    assert eve.mxid not in circle.room.joined and "eve" not in members and "kim" not in members
    waiting = await service.rows("SELECT user_id FROM waiting ORDER BY position")
    assert {row["user_id"] for row in waiting} == {eve.mxid, kim.mxid}
    await an_hour(circle)
    assert (await facts(service, "turned_away")) == ["turned_away"] * 2


async def test_an_invited_person_who_came_in_unheard_has_their_seat(circle: Journey) -> None:
    eve = circle.person("eve", auto_join=False)
    await circle.tell(circle.rosa, f"!invite {eve.mxid}")
    moved(circle, eve, "join")
    await an_hour(circle)
    assert (await circle.members())["eve"] == ("joined", 0)


async def test_an_invitation_past_the_service_that_was_not_heard_of_is_taken_back(circle: Journey) -> None:
    eve = circle.person("eve", auto_join=False)
    unseen(circle, circle.ben, "m.room.member", {"membership": "invite"}, eve.mxid)
    await an_hour(circle)
    assert circle.room.membership(eve.mxid) == "leave"
    assert f"{await circle.alias(circle.ben)} invited {eve.mxid} past me" in circle.posted(circle.desk)[-1]


async def test_an_invitation_that_is_still_under_way_keeps_its_seat(
    engine: str, circle: Journey, service: Service
) -> None:
    eve = circle.person("eve", auto_join=False)
    circle.hs.faults.on_request(Fault.RESET, times=None, match="POST .*/invite")
    circle.rosa.say(await circle.direct(circle.rosa), f"!invite {eve.mxid}")
    await service.rest()
    service.clock.advance(2 * MINUTE)
    await service.restart()
    assert (await circle.members())["eve"] == ("invited", 0)
    circle.hs.faults.clear()
    await service.wait(10 * MINUTE)
    assert circle.room.membership(eve.mxid) == "invite"


async def test_who_is_still_to_be_removed_is_not_taken_for_one_who_came_in(circle: Journey, service: Service) -> None:
    await circle.tell(circle.rosa, "!cap 5")
    eve = circle.person("eve", auto_join=False)
    circle.hs.faults.on_request(Fault.RESET, times=None, match="POST .*/kick")
    content = {"membership": "join"}
    eve.put_state(circle.group, "m.room.member", content, state_key=eve.mxid, force=True)
    await service.rest()
    service.clock.advance(2 * MINUTE)
    await service.restart()
    assert await facts(service, "turned_away") == ["turned_away"] and "eve" not in await circle.members()
    circle.hs.faults.clear()
    await service.wait(10 * MINUTE)
    assert circle.room.membership(eve.mxid) == "leave"
    assert await facts(service, "turned_away") == ["turned_away"]


async def test_what_changed_here_after_the_room_was_asked_is_newer(
    engine: str, circle: Journey, service: Service
) -> None:
    (row,) = await service.rows("SELECT id FROM coterie_group")
    people = [
        InRoom(UserId(user), "join", UserId(user), 0) for user in sorted(circle.room.joined) if user != circle.ana.mxid
    ]
    state = {key: StateEvent(EventId(e.event_id), UserId(e.sender), e.content, e.ts)
             for key, e in circle.room.state.items() if key[0] != "m.room.member"}  # fmt: skip
    since = await service.rows("SELECT since_at FROM member WHERE user_id = $1", circle.ana.mxid)
    for asked_at, expected in ((since[0]["since_at"], "joined"), (since[0]["since_at"] + 2 * MINUTE, "left")):
        service.clock.advance(10 * MINUTE)
        found = RoomState(RoomId(circle.group), "12", state, tuple(people), asked_at=asked_at)
        async with service.store.unit() as unit:
            work = Work(unit, service.config, Cause(f"test {asked_at}", unit.now))
            await inspection.inspected(work, GroupId(row["id"]), found)
        assert (await circle.members())["ana"][0] == expected


async def test_who_is_in_the_desk_unheard_and_no_concierge_is_removed(circle: Journey, hs: FakeHomeserver) -> None:
    moved(circle, circle.ana, "join", room=circle.desk)
    await an_hour(circle)
    desk = hs.room(circle.desk)
    assert desk.membership(circle.ana.mxid) == "leave"
    assert desk.joined == {hs.bot, circle.rosa.mxid, circle.ben.mxid}


# Addresses and directory


async def test_an_address_that_may_not_be_removed_is_told_once_to_desk_and_operator(
    engine: str, circle: Journey, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(circle.posted(circle.desk))
    alias = circle.ana.make_alias(circle.group, "wool")
    await an_hour(circle)
    (told,) = circle.posted(circle.desk)[before:]
    assert told.startswith(f"The address {alias} leads to the group's room: anybody can learn from it")
    warned = [r.getMessage() for r in caplog.records if r.name == "coterie.guarding" and r.levelno == logging.WARNING]
    assert len(warned) == 1 and alias in warned[0] and "server admin" in warned[0]
    await an_hour(circle)
    assert len(circle.posted(circle.desk)) == before + 1
    circle.hs.world.aliases.clear()
    await an_hour(circle)
    circle.ana.make_alias(circle.group, "wool")
    await an_hour(circle)
    assert len(circle.posted(circle.desk)) == before + 2, "it is there again"
    assert circle.posted() == []


async def test_an_address_that_may_be_removed_is_removed_without_a_word(circle: Journey, hs: FakeHomeserver) -> None:
    before = len(circle.posted(circle.desk))
    hs.world.removable_aliases.add(circle.ana.make_alias(circle.group, "wool"))
    await an_hour(circle)
    assert hs.world.aliases == {} and len(circle.posted(circle.desk)) == before


async def test_a_room_in_the_directory_is_taken_out(engine: str, circle: Journey, service: Service) -> None:
    for room in (circle.group, circle.desk):
        circle.rosa.publish(room, force=True)
    before = len(circle.posted(circle.desk))
    await an_hour(circle)
    assert circle.hs.world.listed == set()
    assert sorted(circle.posted(circle.desk)[before:]) == [
        "The group's room stood in the homeserver's public directory. I am taking it out.",
        "This desk stood in the homeserver's public directory. I am taking it out.",
    ]
    await an_hour(circle)
    assert await facts(service, "unlisted") == ["unlisted"] * 2
