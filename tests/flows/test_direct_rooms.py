"""Direct rooms: one for each person, reused; what is said waits until somebody is there to hear it."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import INVITE_BLOCKED, UNREACHABLE
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import DAY, Service


def bots_part(hs: FakeHomeserver, room_id: str) -> str:
    return hs.room(room_id).membership(hs.bot)


async def test_the_service_joins_a_direct_room_to_which_it_is_invited(play: Journey, hs: FakeHomeserver) -> None:
    room = play.ana.create_direct(hs.bot)
    await play.rest()
    assert bots_part(hs, room) == "join" and hs.room(room).messages() == []


async def test_what_was_said_before_the_service_came_in_is_heard_once(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    room = shop.ana.create_direct(hs.bot)
    pledge = shop.ana.say(room, "+2")
    asked = shop.ana.say(room, "!help")
    await shop.rest()
    assert await shop.units() == {"ana": 2} and shop.signs(pledge) == ["✅"] == shop.signs(asked)
    hs.delivery.redeliver()
    await shop.rest()
    await service.restart()
    assert await shop.units() == {"ana": 2} and len(shop.told(shop.ana)) == 1


async def test_anything_else_that_was_sent_before_the_service_came_in_does_no_harm(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    room = shop.ana.create_direct(hs.bot)
    shop.ana.send(room, "m.sticker", {"body": "cat", "info": {}, "url": "mxc://fake.test/cat"})
    shop.ana.send(room, "m.room.encrypted", {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AAA"})
    shop.ana.send(room, "org.\x00.odd", {"key": "\ud800 \x00"})
    shop.ana.send(room, "m.room.message", {"msgtype": "m.text", "body": ["no", "text"]})
    shop.ana.say(room, "nul \x00 and \ud800 surrogate")
    gone = shop.ana.say(room, "+3")
    shop.ana.redact(room, gone)
    pledge = shop.ana.say(room, "+2")
    await shop.rest()
    assert await shop.units() == {"ana": 2} and shop.signs(pledge) == ["✅"]
    assert shop.told(shop.ana)[0].startswith("I have passed that on to the concierges")


async def test_an_invitation_that_is_not_direct_is_declined(play: Journey, hs: FakeHomeserver) -> None:
    room = play.ana.create_room(name="Party", invite=[hs.bot])
    await play.rest()
    assert bots_part(hs, room) == "leave"
    assert [event.content["membership"] for event in hs.room(room).events if event.state_key == hs.bot] == [
        "invite",
        "leave",
    ]


async def test_the_service_leaves_a_direct_room_when_a_third_person_is_invited(
    play: Journey, hs: FakeHomeserver
) -> None:
    room = await play.direct(play.ana)
    play.ana.invite(room, play.otto.mxid)
    await play.rest()
    assert bots_part(hs, room) == "leave"
    before = len(hs.room(room).messages())
    await play.tell(play.ana, "!help")  # by a room of her own
    assert len(hs.direct_messages(play.ana)) == 1 and len(hs.room(room).messages()) == before


async def test_the_service_leaves_at_once_a_direct_room_that_holds_three(play: Journey, hs: FakeHomeserver) -> None:
    otto = play.person("otto")
    room = play.ana.create_room(preset="trusted_private_chat", is_direct=True, invite=[otto.mxid, hs.bot])
    play.ana.say(room, "!help")
    await play.rest()
    assert bots_part(hs, room) == "leave" and hs.room(room).messages(hs.bot) == []


async def test_one_direct_room_is_made_for_a_person_however_much_there_is_to_say(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.leave_direct(shop.ana)
    hs.pause_delivery()
    for _ in range(5):
        shop.ana.say(shop.group, "!pledge x")
    hs.resume()
    await shop.rest()
    [room] = shop.direct_rooms(shop.ana)
    assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}
    assert room.content("m.room.member", shop.ana.mxid)["membership"] == "join"
    invited = next(event for event in room.events if event.state_key == shop.ana.mxid)
    assert invited.content.get("is_direct") is True
    assert len(shop.told(shop.ana)) == 5


async def test_the_direct_room_that_a_person_has_opened_is_used(shop: Journey, hs: FakeHomeserver) -> None:
    room = await shop.direct(shop.ana)
    await shop.say(shop.ana, "!pledge x")
    assert [r.room_id for r in hs.direct_rooms(shop.ana)] == [room] and len(shop.told(shop.ana)) == 1


@pytest.mark.slow
async def test_what_is_said_to_somebody_who_never_joins_waits_for_them(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.leave_direct(shop.ana)
    shop.ana.auto_join = False
    for _ in range(3):
        await shop.say(shop.ana, "!pledge x")
    await service.wait(3 * DAY)
    [room] = shop.direct_rooms(shop.ana)
    assert room.messages(hs.bot) == []
    await service.restart()
    shop.ana.join(room.room_id)
    await shop.rest()
    assert len(shop.told(shop.ana)) == 3
    await shop.say(shop.ana, "!pledge x")
    assert len(shop.told(shop.ana)) == 4


async def test_who_opens_a_direct_room_instead_of_joining_ours_hears_there_what_has_waited(
    shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.leave_direct(shop.ana)
    shop.ana.auto_join = False
    await shop.say(shop.ana, "!pledge x")
    own = shop.ana.create_direct(hs.bot)
    await shop.rest()
    assert [event.room_id for event in hs.direct_events(shop.ana)][1:] == [own] and len(shop.told(shop.ana)) == 1


async def test_a_declined_direct_room_is_given_up_and_a_new_one_made_when_there_is_more_to_say(
    shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.leave_direct(shop.ana)
    shop.ana.auto_join = False
    await shop.say(shop.ana, "!pledge x")
    [first] = shop.direct_rooms(shop.ana)
    shop.ana.leave(first.room_id)
    await shop.rest()
    assert bots_part(hs, first.room_id) == "leave" and shop.told(shop.ana) == []
    await shop.say(shop.ana, "!withdraw")
    [second] = shop.direct_rooms(shop.ana)
    assert second.room_id != first.room_id
    shop.ana.join(second.room_id)
    await shop.rest()
    assert len(shop.told(shop.ana)) == 2 and "whole number" in shop.told(shop.ana)[0]


async def test_a_direct_room_that_was_left_is_replaced(shop: Journey, hs: FakeHomeserver) -> None:
    first = await shop.direct(shop.ana)
    await shop.tell(shop.ana, "!help")
    shop.ana.leave(first)
    await shop.rest()
    assert bots_part(hs, first) == "leave"
    await shop.say(shop.ana, "!pledge x")
    second = hs.direct_rooms(shop.ana)[-1].room_id
    assert second != first and len(hs.room(second).messages(hs.bot)) == 1


async def test_a_direct_room_that_was_left_can_be_opened_again_by_its_person(shop: Journey, hs: FakeHomeserver) -> None:
    first = await shop.direct(shop.ana)
    await shop.tell(shop.ana, "+2")
    shop.ana.leave(first)
    await shop.rest()
    second = shop.ana.create_direct(hs.bot)
    shop.ana.say(second, "!help")
    await shop.rest()
    assert len(hs.room(second).messages(hs.bot)) == 1
    assert await shop.units() == {"ana": 2}


async def test_the_service_that_was_removed_from_a_direct_room_comes_back_when_invited_again(
    shop: Journey, hs: FakeHomeserver
) -> None:
    room = shop.ana.create_room(preset="private_chat", is_direct=True, invite=[hs.bot])
    shop.ana.say(room, "+2")
    await shop.rest()
    shop.ana.kick(room, hs.bot)
    await shop.rest()
    assert bots_part(hs, room) == "leave"
    invite = {"membership": "invite", "is_direct": True}
    shop.ana.put_state(room, "m.room.member", invite, state_key=hs.bot)
    shop.ana.say(room, "+1")
    await shop.rest()
    assert bots_part(hs, room) == "join" and await shop.units() == {"ana": 3}


@pytest.mark.slow
async def test_what_was_said_in_a_direct_room_long_ago_is_not_heard_again_when_it_is_used_again(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    room = shop.ana.create_room(preset="private_chat", is_direct=True, invite=[hs.bot])
    shop.ana.say(room, "+12")
    await shop.rest()
    shop.ana.kick(room, hs.bot)
    await service.wait(40 * DAY)
    assert await shop.orders() == {"ana": (12, 7900, 94800)}
    await shop.open_buy("!buy open merino-throw 10:79 25:69 until in 3 days")
    invite = {"membership": "invite", "is_direct": True}
    shop.ana.put_state(room, "m.room.member", invite, state_key=hs.bot)
    pledge = shop.ana.say(room, "+1")
    await shop.rest()
    assert shop.signs(pledge) == ["✅"]
    rows = await service.rows("SELECT quantity FROM tranche WHERE buy_id = $1", shop.buy)
    assert [row["quantity"] for row in rows] == [1]


@pytest.mark.parametrize("refusal", [INVITE_BLOCKED, UNREACHABLE], ids=["blocked", "unreachable"])
async def test_a_person_who_cannot_be_reached_holds_nothing_up_and_is_reached_later(
    shop: Journey, hs: FakeHomeserver, service: Service, refusal: object
) -> None:
    await shop.leave_direct(shop.ana)
    hs.refuse_invites(shop.ana.mxid, refusal)  # type: ignore[arg-type]
    await shop.plus(shop.ana, 12)
    await shop.plus(shop.otto, 1)
    await shop.close()
    await service.wait(40_000)
    assert shop.told(shop.ana) == [] and len(shop.receipts(shop.otto)) == 1
    hs.refuse_invites(shop.ana.mxid, None)
    await shop.say(shop.ana, "!pledge x")
    assert [receipt["units"] for receipt in shop.receipts(shop.ana)] == [12]
    assert len(shop.told(shop.ana)) == 2


async def test_a_direct_room_that_cannot_be_joined_is_forgotten(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    hs.faults.on_request(Fault.ERROR_502, times=6, match="POST .*/join$")
    room = play.ana.create_direct(hs.bot)
    await service.wait(40_000)
    assert bots_part(hs, room) == "invite"
    assert await service.rows("SELECT * FROM room WHERE room_id = $1", room) == []
    play.ana.leave(room)
    second = play.ana.create_direct(hs.bot)
    await play.rest()
    assert bots_part(hs, second) == "join"


async def test_strangers_get_an_answer_and_nothing_else(circle: Journey) -> None:
    sam = circle.person("@sam:remote.test")
    for typed, answer in (
        ("hello?", "I look after groups that people are invited to."),
        ("!pledge 3", "There is no open group buy that this could be for."),
        ("!invite @ana:fake.test", "I know of no group in which you could do that."),
        ('!group create "Mine"', "Only owners can do that."),
        ("+2", "There is no open group buy"),
    ):
        asked = await circle.tell(sam, typed)
        assert circle.signs(asked) == ["⚠️"] and circle.told(sam)[-1].startswith(answer), typed
    assert circle.posted() == [] and "sam" not in await circle.members()


def mute(play: Journey, room_id: str) -> None:
    levels = play.hs.room(room_id).content("m.room.power_levels")
    play.ana.put_state(room_id, "m.room.power_levels", {**levels, "events_default": 50})


async def test_the_service_leaves_a_room_in_which_it_may_not_speak_and_says_in_the_next_what_it_owes(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.leave_direct(shop.ana)
    await shop.plus(shop.ana, 10)
    room = shop.ana.create_room(preset="private_chat", is_direct=True, room_version="11", invite=[hs.bot])
    shop.ana.say(room, "!help")
    await shop.rest()
    assert len(shop.told(shop.ana)) == 1
    mute(shop, room)
    await shop.close()
    assert bots_part(hs, room) == "leave" and shop.receipts(shop.ana) == []
    await shop.say(shop.ana, "!pledge x")
    [own] = shop.direct_rooms(shop.ana)
    assert own.room_id != room and [receipt["units"] for receipt in shop.receipts(shop.ana)] == [10]
    assert len(shop.told(shop.ana)) == 3


@pytest.mark.parametrize("banned", [False, True], ids=["muted", "banned"])
async def test_a_sign_that_is_refused_in_a_direct_room_is_let_go(
    circle: Journey, hs: FakeHomeserver, service: Service, *, banned: bool
) -> None:
    await circle.leave_direct(circle.ana)
    room = circle.ana.create_room(preset="private_chat", is_direct=True, room_version="11", invite=[hs.bot])
    await circle.rest()
    asked = circle.ana.say(room, "!help")
    if banned:
        circle.ana.ban(room, hs.bot)
    else:
        mute(circle, room)
    await circle.rest()
    assert bots_part(hs, room) != "join" and circle.signs(asked) == []
    assert await service.rows("SELECT * FROM room WHERE room_id = $1", room) == []
    assert await service.rows("SELECT * FROM effect WHERE status NOT IN ('sent', 'held')") == []
    circle.ana.leave(room)
    second = circle.ana.create_direct(hs.bot)
    await circle.rest()
    assert [event.room_id for event in hs.direct_events(circle.ana)][-1:] == [second]


async def test_who_invites_the_service_again_and_again_is_let_in_five_times_an_hour(
    engine: str, play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    eve = play.person("@eve:evil.test")
    parts = []
    for _ in range(7):
        room = eve.create_direct(hs.bot)
        await play.rest()
        parts.append(bots_part(hs, room))
        eve.leave(room)
        await play.rest()
    assert parts == ["join"] * 5 + ["leave"] * 2
    await play.tell(play.ana, "!help")
    assert len(play.told(play.ana)) == 1
    await service.wait(DAY)
    assert await service.rows("SELECT * FROM told WHERE subject LIKE '%eve%'") == []
    room = eve.create_direct(hs.bot)
    await play.rest()
    assert bots_part(hs, room) == "join"
