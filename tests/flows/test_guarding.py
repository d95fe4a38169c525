"""Whoever changes policy, or invites past the service, is answered: put back, noted, told in the desk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Json
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import HOUR, MINUTE, Service
from tests.flows.test_adoption import looked_at

ENCRYPTED = {"algorithm": "m.megolm.v1.aes-sha2"}
OPEN_ACL = {"allow": ["*"], "deny": [], "allow_ip_literals": True}
MEDDLING: list[tuple[str, str, Json, Json, str]] = [
    ("m.room.join_rules", "", {"join_rule": "public"}, {"join_rule": "invite"}, "who may join"),
    ("m.room.history_visibility", "", {"history_visibility": "world_readable"}, {"history_visibility": "joined"},
     "who can read what was said before"),
    ("m.room.guest_access", "", {"guest_access": "can_join"}, {"guest_access": "forbidden"},
     "whether guests may enter"),
    ("m.room.tombstone", "", {"body": "moved", "replacement_room": "!x"}, {},
     "whether the room has been replaced by another"),
    ("m.room.canonical_alias", "", {"alias": "#wool:fake.test"}, {}, "the room's address"),
    ("m.room.third_party_invite", "token", {"display_name": "a…"}, {}, "who is invited by e-mail or phone"),
    ("m.room.server_acl", "", {"allow": ["fake.test"]}, OPEN_ACL, "which servers may take part"),
    ("m.room.policy", "", {"via": "fake.test"}, {}, "the policy server"),
    ("m.space.child", "!x", {"via": ["fake.test"]}, {}, "what belongs to the room as a space"),
    ("m.space.parent", "!x", {"via": ["fake.test"]}, {}, "to which space the room belongs"),
    ("im.vector.modular.widgets", "w1", {"url": "https://x.example"}, {}, "the widgets"),
    ("io.element.widgets.layout", "", {"widgets": {}}, {}, "the layout of the widgets"),
    ("shop.coterie.group", "", {"version": 1, "cap": 900}, {"version": 1, "cap": 200},
     "the mark by which clients know the group and its cap"),
]  # fmt: skip


async def restored(service: Service) -> list[dict[str, Any]]:
    """What the ledger says of policy."""
    return await service.rows("SELECT fact, actor, number, detail FROM ledger WHERE fact IN ('restored')")


async def change(play: Journey, who: Person, type: str, content: Json, key: str = "", room: str | None = None) -> str:
    """Somebody sends state that the room's own rules would not let through."""
    event_id = who.put_state(room or play.group, type, content, state_key=key, force=True)
    await play.rest()
    return event_id


@pytest.mark.parametrize(("type", "key", "content", "right", "what"), MEDDLING, ids=[row[0] for row in MEDDLING])
async def test_policy_that_somebody_changes_is_put_back_and_the_desk_learns_who_it_was(
    circle: Journey, service: Service, type: str, key: str, content: Json, right: Json, what: str
) -> None:
    alias, before = await circle.alias(circle.ben), len(circle.posted(circle.desk))
    await change(circle, circle.ben, type, content, key)
    assert circle.room.content(type, key) == right
    found = circle.room.state[type, key]
    assert (found.redaction or found).sender == circle.hs.bot  # a tombstone is taken away, anything else replaced
    assert circle.posted(circle.desk)[before:] == [f"{alias} changed {what} in the group's room. I have put it back."]
    (line,) = await restored(service)
    assert line["actor"] == 2 and line["number"] is None and f'"{type}"' in line["detail"]
    assert circle.posted() == []


async def test_power_levels_are_put_back_with_everybody_s_own(engine: str, circle: Journey, service: Service) -> None:
    right = circle.room.content("m.room.power_levels")
    users = {**right["users"], circle.otto.mxid: 100}
    await change(circle, circle.otto, "m.room.power_levels", {**right, "users": users, "invite": 0, "events": {}})
    now = circle.room.content("m.room.power_levels")
    assert now == {key: value for key, value in right.items() if key != "historical"}
    assert "changed who may do what (the power levels)" in circle.posted(circle.desk)[-1]
    assert len(await restored(service)) == 1
    await change(circle, circle.otto, "m.room.power_levels", {**now, "historical": 7})
    assert len(await restored(service)) == 1, "that means the same"


async def test_the_desk_is_guarded_too(engine: str, circle: Journey, hs: FakeHomeserver, service: Service) -> None:
    await change(circle, circle.ben, "m.room.join_rules", {"join_rule": "public"}, room=circle.desk)
    assert hs.room(circle.desk).content("m.room.join_rules") == {"join_rule": "invite"}
    alias = await circle.alias(circle.ben)
    assert circle.posted(circle.desk)[-1] == f"{alias} changed who may join in this desk. I have put it back."
    assert len(await restored(service)) == 1


async def test_what_the_service_sets_itself_is_no_meddling(circle: Journey, service: Service) -> None:
    await circle.tell(circle.rosa, f"!concierge add {circle.ana.mxid}")
    await circle.tell(circle.rosa, "!cap 40")
    assert circle.room.content("shop.coterie.group") == {"version": 1, "cap": 40}
    assert await restored(service) == []
    assert await service.rows("SELECT id FROM arrival WHERE type = 'm.room.power_levels'") == []


async def test_fifty_changes_in_a_minute_are_put_back_and_told_once(
    engine: str, circle: Journey, service: Service
) -> None:
    alias, before = await circle.alias(circle.ben), len(circle.posted(circle.desk))
    for n in range(50):
        rule = "public" if n % 2 else "knock"
        circle.ben.put_state(circle.group, "m.room.join_rules", {"join_rule": rule}, force=True)
        if n % 10 == 0:
            await circle.rest()
        service.clock.advance(1_000)
    await circle.rest()
    assert circle.room.content("m.room.join_rules") == {"join_rule": "invite"}
    line = f"{alias} changed who may join in the group's room. I have put it back."
    assert circle.posted(circle.desk)[before:] == [line]
    assert len(await restored(service)) == 50
    own = [e for e in circle.bot_events(type="m.room.join_rules") if e.content == {"join_rule": "invite"}]
    assert len(own) <= 51, "never more than one answer to each"
    await circle.say(circle.ben, "!audit", to=circle.desk)
    assert f"{alias} changed who may join; put back (50 times)" in circle.posted(circle.desk)[-1]


async def test_another_person_another_thing_and_another_hour_are_told_again(circle: Journey, service: Service) -> None:
    before = len(circle.posted(circle.desk))
    await change(circle, circle.ben, "m.room.join_rules", {"join_rule": "public"})
    await change(circle, circle.ana, "m.room.join_rules", {"join_rule": "public"})
    await change(circle, circle.ben, "m.room.guest_access", {"guest_access": "can_join"})
    await change(circle, circle.ben, "m.room.join_rules", {"join_rule": "knock"})
    assert len(circle.posted(circle.desk)) == before + 3
    await service.wait(HOUR)
    await change(circle, circle.ben, "m.room.join_rules", {"join_rule": "public"})
    assert len(circle.posted(circle.desk)) == before + 4


async def test_who_is_no_member_is_named_by_no_id(circle: Journey, hs: FakeHomeserver) -> None:
    stranger = circle.person("@eve:remote.test", auto_join=False)
    await change(circle, stranger, "m.room.join_rules", {"join_rule": "public"})
    assert circle.posted(circle.desk)[-1].startswith("Somebody who is no member changed who may join")


async def test_policy_in_a_direct_room_is_nobody_s_business_but_theirs(circle: Journey, service: Service) -> None:
    direct = await circle.direct(circle.ana)
    await change(circle, circle.ana, "m.room.join_rules", {"join_rule": "public"}, room=direct)
    assert circle.hs.room(direct).content("m.room.join_rules") == {"join_rule": "public"}
    assert await restored(service) == []


async def test_encryption_that_is_turned_on_stays_on(engine: str, circle: Journey, service: Service) -> None:
    alias, before = await circle.alias(circle.ben), len(circle.posted(circle.desk))
    await change(circle, circle.ben, "m.room.encryption", ENCRYPTED)
    (told,) = circle.posted(circle.desk)[before:]
    assert told.startswith(f"{alias} turned encryption on in the group's room. It stays on.")
    assert circle.room.state["m.room.encryption", ""].sender == circle.ben.mxid, "accepted as it is"
    for weaker in ({}, {"algorithm": "none"}):
        await change(circle, circle.ana, "m.room.encryption", weaker)
        assert circle.room.content("m.room.encryption") == ENCRYPTED
    assert f"{await circle.alias(circle.ana)} changed the encryption" in circle.posted(circle.desk)[-1]
    facts = await service.rows("SELECT fact FROM ledger WHERE fact IN ('encryption_on', 'restored') ORDER BY seq")
    assert [row["fact"] for row in facts] == ["encryption_on", "restored", "restored"]


# Inviting past the service


async def test_an_invitation_by_somebody_else_is_taken_back(engine: str, circle: Journey, service: Service) -> None:
    eve = circle.person("eve", auto_join=False)
    await change(circle, circle.ben, "m.room.member", {"membership": "invite"}, eve.mxid)
    assert circle.room.membership(eve.mxid) == "leave" and eve.invitations == []
    assert circle.posted(circle.desk)[-1] == (
        f"{await circle.alias(circle.ben)} invited {eve.mxid} past me, and I have taken it back: seats are counted "
        f"here. Send: !invite {eve.mxid}"
    )
    assert "eve" not in await circle.members() or (await circle.members())["eve"][0] == "left"
    facts = await service.rows("SELECT actor, number FROM ledger WHERE fact = 'invitation_withdrawn'")
    assert facts == [{"actor": 2, "number": None}]


async def test_inviting_many_past_the_service_makes_one_line(circle: Journey) -> None:
    before = len(circle.posted(circle.desk))
    for n in range(12):
        content = {"membership": "invite"}
        circle.ben.put_state(circle.group, "m.room.member", content, state_key=f"@e{n}:fake.test", force=True)
    await circle.rest()
    assert circle.room.invited == set()
    assert len(circle.posted(circle.desk)) == before + 1


async def test_who_holds_an_invitation_of_the_service_keeps_it(circle: Journey, service: Service) -> None:
    eve = circle.person("eve", auto_join=False)
    await circle.say(circle.ben, f"!invite {eve.mxid}", to=circle.desk)
    before = len(circle.posted(circle.desk))
    await change(circle, circle.otto, "m.room.member", {"membership": "invite"}, eve.mxid)
    assert circle.room.membership(eve.mxid) == "invite"
    eve.join(circle.group)
    await circle.rest()
    assert (await circle.members())["eve"] == ("joined", 0)
    assert len(circle.posted(circle.desk)) == before
    assert await service.rows("SELECT seq FROM ledger WHERE fact = 'invitation_withdrawn'") == []


async def test_whoever_gets_into_the_desk_without_being_a_concierge_is_out_at_once(
    circle: Journey, hs: FakeHomeserver
) -> None:
    content = {"membership": "join"}
    circle.ana.put_state(circle.desk, "m.room.member", content, state_key=circle.ana.mxid, force=True)
    await circle.rest()
    assert hs.room(circle.desk).membership(circle.ana.mxid) == "leave"
    assert hs.room(circle.desk).joined == {hs.bot, circle.rosa.mxid, circle.ben.mxid}
    assert circle.room.membership(circle.ana.mxid) == "join"


# An adopted room


async def test_in_an_adopted_room_each_change_of_an_equal_owner_is_put_back(
    engine: str, play: Journey, service: Service
) -> None:
    await (await looked_at(play)).adopted()
    for type, key, content, right, _ in MEDDLING:
        play.rosa.put_state(play.group, type, content, state_key=key)
        await play.rest()
        assert play.room.content(type, key) == right, type
    assert len(await restored(service)) == len(MEDDLING)


async def test_whom_an_equal_makes_an_equal_counts_as_an_owner_since_nobody_can_lower_them(
    engine: str, play: Journey, hs: FakeHomeserver
) -> None:
    await (await looked_at(play)).adopted()
    levels = play.room.content("m.room.power_levels")
    users = {**levels["users"], play.otto.mxid: 100, play.ana.mxid: 60}
    play.rosa.put_state(play.group, "m.room.power_levels", {**levels, "users": users, "kick": 0})
    await play.rest()
    assert play.room.content("m.room.power_levels") == {**levels, "users": {**levels["users"], play.otto.mxid: 100}}
    aliases = [await play.alias(person) for person in (play.rosa, play.otto)]
    assert f"{aliases[0]} gave {aliases[1]} as much power in the room as I have" in "\n".join(play.posted(play.desk))
    assert (await play.members())["otto"] == ("joined", 100)
    assert (await play.members())["ana"] == ("joined", 0)
    await play.tell(play.rosa, f"!concierge add {play.ana.mxid}")
    assert play.room.level(play.ana.mxid) == 50, "power levels can still be published"
    assert hs.room(play.desk).level(play.otto.mxid) == 100


# The audit


async def test_the_audit_lists_what_happened_to_people_and_policy_by_alias_newest_first(
    engine: str, circle: Journey, service: Service
) -> None:
    aliases = {who: await circle.alias(circle.person(who)) for who in ("rosa", "ben", "ana", "otto", "mia")}
    service.clock.advance(MINUTE)
    await change(circle, circle.ana, "m.room.join_rules", {"join_rule": "public"})
    service.clock.advance(MINUTE)
    await circle.tell(circle.rosa, "!cap 40")
    circle.otto.leave(circle.group)
    await circle.rest()
    await circle.say(circle.ben, "!audit 3", to=circle.desk)
    assert circle.posted(circle.desk)[-1].split("\n") == [
        "People, policy and powers in “Wool circle”, newest first (Europe/Vienna time):",
        f"• 23 Nov 2026, 13:02 {aliases['otto']} left, or was removed",
        f"• 23 Nov 2026, 13:02 {aliases['rosa']} changed the cap from 200 to 40",
        f"• 23 Nov 2026, 13:01 {aliases['ana']} changed who may join; put back",
    ]
    await circle.say(circle.ben, "!audit", to=circle.desk)
    whole = circle.posted(circle.desk)[-1]
    assert f"{aliases['rosa']} made {aliases['ben']} a concierge" in whole or "made" in whole
    assert whole.split("\n")[-1].endswith("the group was made, with 200 seats")
    assert "@" not in whole and ":fake.test" not in whole


@pytest.mark.parametrize("words", ["0", "101", "many", "-5", "20 30", "99999999999999999999"])
async def test_an_audit_of_an_odd_length_is_refused(circle: Journey, words: str) -> None:
    asked = await circle.say(circle.ben, f"!audit {words}", to=circle.desk)
    assert circle.signs(asked) == ["⚠️"]
    assert "!audit 50" in circle.posted(circle.desk)[-1]


async def test_the_audit_is_for_concierges_in_the_desk_only(circle: Journey) -> None:
    before = circle.posted(circle.desk)
    for person in (circle.ana, circle.ben):
        await circle.tell(person, "!audit")
        assert not any("newest first" in text for text in circle.told(person))
    asked = await circle.say(circle.ana, "!audit")
    assert circle.hs.event(asked).redaction is not None
    assert circle.posted(circle.desk) == before


async def test_the_operator_s_backup_account_takes_no_seat_and_is_named_as_what_it_is(
    circle: Journey, service: Service
) -> None:
    backup = circle.person("backup", auto_join=False)
    groups = replace(service.config.groups, backup_creator=backup.mxid)
    service.config = replace(service.config, groups=groups)
    await service.restart()
    content = {"membership": "join"}
    for room in (circle.group, circle.desk):
        backup.put_state(room, "m.room.member", content, state_key=backup.mxid, force=True)
    await change(circle, backup, "m.room.join_rules", {"join_rule": "public"})
    assert circle.room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert circle.posted(circle.desk)[-1].startswith("The operator's account changed who may join")
    await service.wait(HOUR)
    assert {circle.hs.room(room).membership(backup.mxid) for room in (circle.group, circle.desk)} == {"join"}
    assert "backup" not in await circle.members()
