"""Groups: made, filled, left. Seats, invitations and concierges as the homeserver gets to see them."""

import re

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import INVITE_BLOCKED, UNKNOWN_USER, UNREACHABLE, Refused
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import DAY, Service

GUARDED = [
    "im.vector.modular.widgets", "m.widget", "m.room.retention", "io.element.widgets.layout", "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules", "m.room.policy", "m.room.power_levels",
    "m.room.server_acl", "m.room.third_party_invite", "m.room.tombstone", "m.space.child", "m.space.parent",
]  # fmt: skip
FOR_CONCIERGES = ["m.room.avatar", "m.room.name", "m.room.pinned_events", "m.room.topic", "shop.coterie.group_buy"]


def powers(users: dict[str, int]) -> dict[str, object]:
    """The whole content of a room's power levels."""
    return {
        "users": users,
        "users_default": 0,
        "events_default": 0,
        "state_default": 100,
        "invite": 150,
        "kick": 50,
        "ban": 50,
        "redact": 50,
        "notifications": {"room": 50},
        "events": dict.fromkeys(GUARDED, 150) | dict.fromkeys(FOR_CONCIERGES, 50),
    }


def room_body(name: str, users: dict[str, int], *state: dict[str, object], **more: object) -> dict[str, object]:
    """The body of createRoom, less the marker of the request."""
    return {
        "room_version": "12",
        "preset": "private_chat",
        "visibility": "private",
        "name": name,
        "power_level_content_override": powers(users),
        "initial_state": [
            {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "invite"}},
            {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}},
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
            *state,
        ],
        **more,
    }


async def test_a_listed_owner_gets_a_group_and_its_desk(engine: str, play: Journey, hs: FakeHomeserver) -> None:
    direct = await play.direct(play.rosa)
    before = len(hs.requests("POST .*createRoom"))
    asked = await play.tell(play.rosa, '!group create "Wool circle" cap 30')
    bodies = [request.body for request in hs.requests("POST .*createRoom")[before:]]
    for body in bodies:
        marker = body.pop("creation_content")
        assert set(marker) == {"shop.coterie.request"}
    rosa = {play.rosa.mxid: 100}
    group_state = {"type": "shop.coterie.group", "state_key": "", "content": {"version": 1, "cap": 30}}
    assert sorted(bodies, key=lambda body: str(body["name"]), reverse=True) == [
        room_body("Wool circle", rosa, group_state),
        room_body("Desk: Wool circle", rosa),
    ]
    for name in ("Wool circle", "Desk: Wool circle"):
        room = hs.room_named(name)
        assert room.members == {hs.bot: "join", play.rosa.mxid: "join"}
        assert room.content("m.room.power_levels") == powers(rosa) | {"historical": 100}
        assert room.content("m.room.join_rules") == {"join_rule": "invite"}
        assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}
        assert room.content("m.room.guest_access") == {"guest_access": "forbidden"}
        assert not [event for event in room.events if event.type in ("m.room.message", "m.room.canonical_alias")]
    assert play.signs(asked) == ["✅"]
    making, ready = play.told(play.rosa)
    assert making == "Making the group “Wool circle” and its desk."
    assert "is ready" in ready and "Up to 30 people" in ready
    assert "can read the group's name, topic and picture before joining" in ready
    assert hs.direct_rooms(play.rosa)[0].room_id == direct


async def test_a_group_without_a_cap_takes_as_many_as_the_operator_says(play: Journey) -> None:
    await play.make_group()
    assert play.room.content("shop.coterie.group") == {"version": 1, "cap": 200}


async def test_nobody_but_the_service_can_invite_into_a_group_or_let_others_in(circle: Journey) -> None:
    for person in (circle.rosa, circle.ben, circle.ana):
        with pytest.raises(Refused, match="permission to invite"):
            person.invite(circle.group, "@x:fake.test")
        for type, content in (
            ("m.room.join_rules", {"join_rule": "public"}),
            ("m.room.history_visibility", {"history_visibility": "shared"}),
            ("m.room.power_levels", {"users": {person.mxid: 150}}),
            ("m.room.tombstone", {"body": "gone", "replacement_room": "!x"}),
        ):
            with pytest.raises(Refused, match="permission"):
                person.put_state(circle.group, type, content)


async def test_a_group_room_that_the_homeserver_keeps_refusing_is_told_to_the_owner(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    direct = await play.direct(play.rosa)
    hs.faults.on_request(Fault.ERROR_500, times=None, match="POST .*createRoom")
    play.rosa.say(direct, '!group create "Wool circle"')
    await service.wait(60_000)
    told = play.told(play.rosa)
    assert told[0] == "Making the group “Wool circle” and its desk."
    assert told[1].startswith("The homeserver would not make the room for “Wool circle” (UNREACHABLE).")
    assert len(hs.requests("POST .*createRoom")) == 1 + 12  # the service's own room; six tries for each of two


async def test_a_person_is_invited_and_gets_a_seat_before_the_invitation_leaves(
    engine: str, play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await play.make_group()
    ana = play.person("ana", auto_join=False)
    hs.faults.on_request(Fault.ERROR_502, match="POST .*/invite")
    asked = await play.tell(play.rosa, f"!invite {ana.mxid}")
    assert ana.invitations == [] and (await play.members())["ana"] == ("invited", 0)
    assert play.signs(asked) == ["✅"] and play.told(play.rosa)[-1] == f"Invited {ana.mxid} to “Wool circle”."
    await service.wait(1_000)
    assert [room.room_id for room in ana.invitations] == [play.group]
    ana.join(play.group)
    await play.rest()
    assert (await play.members())["ana"] == ("joined", 0)
    ana.join_all()
    await play.rest()
    [welcome] = play.welcomes(ana)
    called = re.match(r"Welcome to “Wool circle”\. I call you (\w+ \w+) in all that I write;", welcome)
    rows = await service.rows("SELECT number, alias FROM member WHERE user_id = $1", ana.mxid)
    assert called and rows == [{"number": 2, "alias": called[1]}]
    assert (await play.ledger())[-1] == ("joined", "ana", 0, 0)
    assert play.posted() == []


async def test_a_person_of_another_server_is_invited_and_joins(play: Journey) -> None:
    await play.make_group()
    remote = play.person("@pia:remote.test")
    await play.tell(play.rosa, f"!invite {remote.mxid}")
    assert (await play.members())["pia"] == ("joined", 0)


@pytest.mark.parametrize(
    ("refusal", "why", "tries"),
    [
        (INVITE_BLOCKED, "they do not accept invitations from people they do not know", 1),
        (UNKNOWN_USER, "there is no such account", 1),
        (UNREACHABLE, "their server cannot be reached", 6),
        (Refused(403, "M_FORBIDDEN", "no"), "their server or ours refused it", 1),
    ],
    ids=["blocked", "unknown", "unreachable", "forbidden"],
)
async def test_an_invitation_that_fails_gives_the_seat_back_and_tells_who_asked(
    play: Journey, hs: FakeHomeserver, service: Service, refusal: Refused, why: str, tries: int
) -> None:
    await play.make_group(cap=2)
    pia, ana = play.person("@pia:remote.test"), play.person("ana")
    hs.refuse_invites(pia.mxid, refusal)
    await play.tell(play.rosa, f"!invite {pia.mxid}")
    await service.wait(40_000)
    assert play.told(play.rosa)[-1] == f"{pia.mxid} could not be invited: {why}. The seat is free again."
    assert (await play.members())["pia"] == ("left", 0) and pia.mxid not in play.room.members
    assert len([r for r in hs.requests("POST .*/invite") if r.body == {"user_id": pia.mxid}]) == tries
    await play.tell(play.rosa, f"!invite {ana.mxid}")
    assert (await play.members())["ana"] == ("joined", 0)


async def test_the_cap_holds_however_many_invitations_come_at_once(engine: str, play: Journey) -> None:
    await play.make_group(cap=5)
    direct = await play.direct(play.rosa)
    people = [play.person(f"p{n}", auto_join=False) for n in range(12)]
    for person in people:
        play.rosa.say(play.desk if int(person.mxid[2]) % 2 else direct, f"!invite {person.mxid}")
    await play.rest()
    assert len(play.room.invited) == 4
    answers = "\n".join(play.told(play.rosa) + play.posted(play.desk))
    waiting = re.findall(r"^“Wool circle” is full: (\S+) is no\. (\d) on the waitlist and is invited", answers, re.M)
    assert sorted(place for _, place in waiting) == list("12345678")
    assert {mxid for mxid, _ in waiting} == {person.mxid for person in people} - play.room.invited


async def test_a_declined_invitation_frees_its_seat_and_so_does_leaving_or_being_removed(circle: Journey) -> None:
    pia = circle.person("pia", auto_join=False)
    await circle.say(circle.ben, f"!invite {pia.mxid}", to=circle.desk)
    assert (await circle.members())["pia"] == ("invited", 0)
    pia.leave(circle.group)
    circle.ana.leave(circle.group)
    circle.ben.kick(circle.group, circle.otto.mxid)
    circle.ben.ban(circle.group, circle.mia.mxid)
    await circle.rest()
    members = await circle.members()
    assert {name: presence for name, (presence, _) in members.items()} == {
        "rosa": "joined", "ben": "joined", "pia": "left", "ana": "left", "otto": "left", "mia": "banned",
    }  # fmt: skip
    assert [line[:2] for line in (await circle.ledger())[-4:]] == [
        ("left", None), ("left", "ana"), ("left", "otto"), ("banned", "mia"),
    ]  # fmt: skip


async def test_whoever_comes_back_keeps_their_number(circle: Journey, service: Service) -> None:
    query = "SELECT number, alias FROM member WHERE user_id = $1"
    before = await service.rows(query, circle.ana.mxid)
    circle.ana.leave(circle.group)
    await circle.rest()
    await circle.tell(circle.rosa, f"!invite {circle.ana.mxid}")
    assert (await circle.members())["ana"] == ("joined", 0)
    assert await service.rows(query, circle.ana.mxid) == before


async def test_a_concierge_is_added_with_level_and_desk(engine: str, play: Journey, hs: FakeHomeserver) -> None:
    await play.make_group()
    asked = await play.tell(play.rosa, f"!concierge add {play.ben.mxid}")
    assert play.signs(asked) == ["✅"]
    assert play.told(play.rosa)[-1] == f"{play.ben.mxid} is a concierge of “Wool circle” now, and invited to the desk."
    for room_id in (play.group, play.desk):
        room = hs.room(room_id)
        assert room.joined == {hs.bot, play.rosa.mxid, play.ben.mxid}
        assert room.content("m.room.power_levels") == powers({play.rosa.mxid: 100, play.ben.mxid: 50})
    assert (await play.members())["ben"] == ("joined", 50)


async def test_a_member_can_become_a_concierge_and_cease_to_be_one(circle: Journey, hs: FakeHomeserver) -> None:
    alias = await circle.alias(circle.ana)
    added = await circle.say(circle.rosa, f"!concierge add {circle.ana.mxid}", to=circle.desk)
    assert circle.signs(added) == ["✅"]
    assert circle.posted(circle.desk)[-1] == f"{alias} is a concierge of “Wool circle” now, and invited to the desk."
    assert circle.ana.mxid in hs.room(circle.desk).joined
    removed = await circle.say(circle.rosa, f"!concierge remove {circle.ana.mxid}", to=circle.desk)
    assert circle.signs(removed) == ["✅"]
    assert circle.posted(circle.desk)[-1] == (
        f"{alias} is no concierge of “Wool circle” any more, and out of the desk."
    )
    assert hs.room(circle.desk).membership(circle.ana.mxid) == "leave"
    for room_id in (circle.group, circle.desk):
        users = hs.room(room_id).content("m.room.power_levels")["users"]
        assert users == {circle.rosa.mxid: 100, circle.ben.mxid: 50}
    assert (await circle.members())["ana"] == ("joined", 0)
    assert circle.room.membership(circle.ana.mxid) == "join"


async def test_a_concierge_who_leaves_the_group_is_out_of_the_desk_at_once(circle: Journey, hs: FakeHomeserver) -> None:
    circle.ben.leave(circle.group)
    await circle.rest()
    assert hs.room(circle.desk).membership(circle.ben.mxid) == "leave"
    assert circle.room.content("m.room.power_levels")["users"] == {circle.rosa.mxid: 100}
    assert (await circle.members())["ben"] == ("left", 0)


async def test_a_concierge_who_could_not_be_invited_has_no_power_if_they_come_later(
    play: Journey, hs: FakeHomeserver
) -> None:
    await play.make_group()
    pia = play.person("@pia:remote.test")
    hs.refuse_invites(pia.mxid, INVITE_BLOCKED)
    await play.tell(play.rosa, f"!concierge add {pia.mxid}")
    assert any(f"{pia.mxid} could not be invited" in text for text in play.told(play.rosa))
    hs.refuse_invites(pia.mxid, None)
    await play.tell(play.rosa, f"!invite {pia.mxid}")
    assert (await play.members())["pia"] == ("joined", 0)
    assert play.room.level(pia.mxid) == 0
    assert pia.mxid not in hs.room(play.desk).members


async def test_a_concierge_whom_only_the_desk_could_not_invite_is_told_of(circle: Journey, hs: FakeHomeserver) -> None:
    hs.refuse_invites(circle.ana.mxid, INVITE_BLOCKED)
    await circle.tell(circle.rosa, f"!concierge add {circle.ana.mxid}")
    assert "could not be invited into the desk" in circle.told(circle.rosa)[-1]
    assert (await circle.members())["ana"] == ("joined", 50)


@pytest.mark.slow
async def test_a_concierge_whose_invitation_expires_has_no_power_and_no_place_in_the_desk(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await play.make_group()
    pia = play.person("@pia:remote.test", auto_join=False)
    await play.tell(play.rosa, f"!concierge add {pia.mxid}")
    assert play.room.level(pia.mxid) == 50
    await service.wait(7 * DAY)
    assert (await play.members())["pia"] == ("left", 0)
    assert play.room.level(pia.mxid) == 0 and play.room.membership(pia.mxid) == "leave"
    assert hs.room(play.desk).membership(pia.mxid) == "leave"
    await play.tell(play.rosa, f"!invite {pia.mxid}")
    pia.join(play.group)
    await play.rest()
    assert (await play.members())["pia"] == ("joined", 0) and play.room.level(pia.mxid) == 0


async def test_the_last_word_of_free_text_is_no_groups_name(circle: Journey, hs: FakeHomeserver) -> None:
    wool, desk, wool_id = circle.group, circle.desk, circle.group_id
    await circle.make_group("Second")
    second, second_id = circle.desk, circle.group_id
    await circle.tell(circle.rosa, f"!invite {circle.ana.mxid} {second_id}")
    await circle.tell(circle.rosa, f"!concierge add {circle.ben.mxid} {second_id}")
    await circle.settled()
    before = len(circle.posted(desk)), len(circle.posted(second))
    for person, typed in (
        (circle.ana, "!invite @pia:fake.test she reads my blog every second"),
        (circle.ana, "!alias Quiet Second"),
        (circle.ben, "!suspend Otter spam every second"),
    ):
        asked = await circle.tell(person, typed)
        assert circle.signs(asked) == ["⚠️"] and circle.told(person)[-1].startswith("In which group?")
    assert (len(circle.posted(desk)), len(circle.posted(second))) == before
    await circle.tell(circle.ana, f"!invite @pia:fake.test she reads my blog every second {wool_id}")
    assert "every second" in circle.posted(desk)[-1] and len(circle.posted(second)) == before[1]
    await circle.tell(circle.ana, '!invite @lena:fake.test a friend "Second"')
    assert "a friend" in circle.posted(second)[-1]
    await circle.tell(circle.rosa, "!cap 40 Second")
    [row] = await circle.service.rows("SELECT cap FROM coterie_group WHERE id = $1", second_id)
    assert row["cap"] == 40 and hs.room(wool).joined


async def test_an_owner_who_has_left_hands_over_and_is_told_that_they_have_no_part_any_more(circle: Journey) -> None:
    circle.rosa.auto_join = False
    circle.rosa.leave(circle.group)
    await circle.rest()
    await circle.tell(circle.rosa, f"!handover {circle.ben.mxid}")
    assert "You have left it, so you would have no part in it any more" in circle.told(circle.rosa)[-1]
    await circle.tell(circle.rosa, f"!handover {circle.ben.mxid} confirm")
    assert circle.told(circle.rosa)[-1].endswith("now; as you have left it, you have no part in it any more.")
    assert (await circle.members())["rosa"] == ("left", 0)


async def test_a_command_names_its_group_where_a_person_has_several(circle: Journey, hs: FakeHomeserver) -> None:
    await circle.make_group("Book circle")
    books = circle.group_id
    pia = circle.person("pia")
    asked = await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    assert circle.signs(asked) == ["⚠️"]
    which = circle.told(circle.rosa)[-1].split("\n")
    assert which[0] == "In which group? Add its id at the end:"
    assert f"• Book circle: !invite {pia.mxid} {books}" in which and len(which) == 3
    assert not pia.rooms
    await circle.tell(circle.rosa, f"!invite {pia.mxid} {books}")
    assert [room.name for room in pia.rooms if room.name.endswith("circle")] == ["Book circle"]
    await circle.tell(circle.rosa, f'!invite {circle.ana.mxid} "book CIRCLE"')
    assert circle.ana.mxid in circle.room.joined
