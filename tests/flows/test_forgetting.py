"""What a person can learn of what is kept about them, and how they are forgotten."""

import json

import pytest

from appservice.domain.alias import alias_key
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.records import count_files, file_of, kept, mentions
from tests.flows.service import DAY, HOUR, MINUTE, MONDAY, Service
from tests.flows.test_closing import FRIDAY_18

NAME = "Anastasia Elmstreet"
KEY = alias_key(NAME)
DONE = "It is done: I have erased you, and now leave this room. Should you write to me again, I do not know you."
WAITS = "You have an order that is not settled"


async def forget(play: Journey, who: str = "ana") -> str:
    """Somebody asks to be forgotten, and the first minutes go by."""
    asked = await play.tell(play.person(who), "!forget me confirm")
    await play.service.wait(15 * MINUTE)
    return asked


# !mydata


async def test_a_member_gets_a_file_with_what_is_kept_about_them_in_every_group(
    engine: str, shop: Journey, hs: FakeHomeserver, nobody_exposed: None
) -> None:
    await shop.tell(shop.ana, "!alias Otter")
    await shop.plus(shop.ana, 3)
    first = shop.group
    await shop.make_group("Second")
    await shop.tell(shop.rosa, f'!invite {shop.ana.mxid} "Second"')
    asked = await shop.tell(shop.ana, "!mydata")
    assert shop.signs(asked) == ["✅"]
    file = file_of(shop, shop.ana)
    second, wool = sorted(file["groups"], key=lambda group: str(group["group"]))
    assert (second["group"], second["presence"], second["role"]) == ("Second", "in the group", "member")
    assert wool["alias"] == "Otter" and len(wool["aliases"]) == 2 and wool["number"] == 3
    assert wool["pledges"] == [
        {
            "buy": shop.buy,
            "product": "Merino throw",
            "status": "open",
            "units": 3,
            "flexible_units": 0,
            "maximum": None,
        }
    ]
    assert [line["fact"] for line in wool["ledger"]] == ["joined", "alias", "pledged"]
    assert wool["was_vouched_for"] is True
    text = json.dumps(file)
    assert all(person.mxid not in text for person in (shop.ana, shop.rosa, shop.ben, shop.otto)) and first not in text


async def test_who_has_left_still_gets_their_file(shop: Journey) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    shop.ana.leave(shop.group)
    await shop.rest()
    await shop.tell(shop.ana, "!mydata")
    [group] = file_of(shop, shop.ana)["groups"]
    assert (group["presence"], group["role"]) == ("not in the group any more", None)
    [order] = group["orders"]
    assert (order["units"], order["unit_price"], order["total"]) == (10, "79.00 EUR", "790.00 EUR")
    assert [line["amount"] for line in group["ledger"] if line["fact"] == "order"] == ["790.00 EUR"]


async def test_somebody_unknown_learns_that_nothing_is_kept(play: Journey) -> None:
    await play.tell(play.ana, "!mydata")
    assert file_of(play, play.ana)["groups"] == []


async def test_a_second_file_within_ten_minutes_is_refused(circle: Journey, service: Service) -> None:
    await circle.tell(circle.ana, "!mydata")
    again = await circle.tell(circle.ana, "!mydata")
    assert circle.signs(again) == ["⚠️"] and count_files(circle, circle.ana) == 1
    assert circle.told(circle.ana)[-1].startswith("I have just sent you that.")
    await service.wait(10 * MINUTE)
    await circle.tell(circle.ana, "!mydata")
    assert count_files(circle, circle.ana) == 2


@pytest.mark.parametrize("typed", ["!mydata", "!forget me confirm", "!leave"])
async def test_typed_in_the_group_it_is_removed_and_nothing_is_done(
    circle: Journey, hs: FakeHomeserver, service: Service, typed: str
) -> None:
    event_id = await circle.say(circle.ana, typed)
    await service.wait(HOUR)
    assert hs.event(event_id).content == {} and count_files(circle, circle.ana) == 0
    assert (await circle.members())["ana"] == ("joined", 0)
    assert circle.room.membership(circle.ana.mxid) == "join"


# !forget me


async def test_the_first_step_only_says_what_would_happen(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 3)
    await shop.direct(shop.ana)
    before = await kept(service)
    asked = await shop.tell(shop.ana, "!forget me")
    assert shop.signs(asked) == ["✅"]
    told = shop.told(shop.ana)[-1]
    assert "take you out of “Wool circle”" in told and told.endswith("send: !forget me confirm")
    after = await kept(service)
    for sent_and_received in ("arrival", "effect", "sqlite_sequence"):
        before.pop(sent_and_received, None), after.pop(sent_and_received, None)
    assert after == before


async def test_nothing_in_the_database_says_who_a_forgotten_person_was(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """Whatever they did before: pledged, vouched, made and guessed codes, sponsored and asked for others."""
    shop = circle
    hs.world.account(shop.ana.mxid)["displayname"] = NAME
    shop.ana.set_name(shop.group, NAME)
    await shop.settled()
    await shop.tell(shop.ana, "!alias Otter")
    await shop.open_buy()
    pia, kim = shop.newcomer("pia"), shop.newcomer("kim")
    await shop.decide(shop.ben, await shop.vouch(shop.ana, pia, "my neighbour"))
    await shop.vouch(shop.ana, kim, "a friend")
    await shop.tell(shop.ana, "!code")
    await shop.tell(shop.ana, "7kqd-2mvw-x9hp")
    await shop.tell(shop.ana, "!mydata")
    await shop.tell(shop.ben, "!suspend Otter wrote to strangers")
    await shop.plus(shop.ana, 3)
    direct = await shop.direct(shop.ana)
    assert await shop.units() == {"ana": 3}
    assert await mentions(service, shop.ana.mxid) and await mentions(service, KEY)
    numbers = await service.rows("SELECT number FROM member WHERE user_id = $1", shop.ana.mxid)
    asked = await forget(shop)
    assert shop.signs(asked) == ["✅"]
    assert await mentions(service, shop.ana.mxid, NAME, KEY, "my neighbour", "a friend", "strangers") == []
    [row] = await service.rows("SELECT * FROM member WHERE alias = 'Otter'")
    assert row["user_id"] == f"erased {row['number']}" and [{"number": row["number"]}] == numbers
    assert (row["presence"], row["power"]) == ("left", 0)
    facts = [
        r["fact"] for r in await service.rows("SELECT * FROM ledger WHERE number = $1 ORDER BY seq", row["number"])
    ]
    assert facts[-1] == "forgotten" and "joined" in facts
    assert shop.room.membership(shop.ana.mxid) == "leave"
    assert hs.room(direct).membership(hs.bot) == "leave" and shop.told(shop.ana)[-1] == DONE


async def test_open_pledges_are_withdrawn_and_the_card_follows(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 3)
    await shop.plus(shop.otto, 2)
    await forget(shop)
    assert await shop.units() == {"otto": 2} and "2 pledged" in shop.card_text
    lines = await service.rows("SELECT fact, units FROM ledger WHERE number = 3 ORDER BY seq")
    assert [(line["fact"], line["units"]) for line in lines][1:] == [
        ("pledged", 3),
        ("withdrawn", -3),
        ("left", 0),
        ("forgotten", 0),
    ]


async def test_they_get_their_file_and_the_last_word_and_then_the_service_leaves(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    direct = await circle.direct(circle.ana)
    await forget(circle)
    [file] = [e for e in hs.direct_events(circle.ana) if e.content.get("msgtype") == "m.file"]
    last = hs.room(direct).messages(hs.bot)[-1]
    [left] = [e for e in hs.room(direct).events if e.state_key == hs.bot and e.content["membership"] == "leave"]
    assert file.order < last.order < left.order and last.content["body"] == DONE
    [removed] = [e for e in circle.room.events if e.state_key == circle.ana.mxid and e.content["membership"] == "leave"]
    assert removed.content["reason"] == "left by their own wish" and removed.sender == hs.bot
    assert len(hs.room(direct).messages(hs.bot)) == 4  # the welcome, which waited; the file; what happens; the end


@pytest.mark.usefixtures("by_hand")
async def test_an_order_that_is_not_settled_holds_it_up_and_that_is_said_once(
    engine: str, shop: Journey, service: Service
) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    await forget(shop)
    for _ in range(3):
        await shop.days(1)
    assert [WAITS in text for text in shop.told(shop.ana)].count(True) == 1
    assert shop.room.membership(shop.ana.mxid) == "leave" and await mentions(service, shop.ana.mxid)
    async with service.store.unit() as unit:
        await unit._connection.execute("UPDATE group_buy SET status = 'failed'")  # until orders can be settled
    await shop.days(1)
    await service.wait(15 * MINUTE)
    assert shop.told(shop.ana)[-1] == DONE and await mentions(service, shop.ana.mxid) == []
    [order] = await service.rows("SELECT number, total_minor FROM purchase_order")
    assert (order["number"], order["total_minor"]) == (3, 79_000)


async def test_a_buy_that_is_being_closed_is_waited_for(
    shop: Journey, service: Service, errors: list[str], hs: FakeHomeserver
) -> None:
    errors.append("arrival a")
    await shop.plus(shop.ana, 3)
    await shop.direct(shop.ana)
    await shop.days((FRIDAY_18 - MONDAY - MINUTE) / DAY)
    async with service.store.unit() as unit:  # an arrival that holds the end up
        await unit._connection.execute(
            "INSERT INTO arrival (id, lane, type, content, received_at, status, due_at) VALUES"
            f" ('$late', '{shop.group}', 'm.room.message', '{{}}', {unit.now}, 'waiting', {unit.now + 30 * MINUTE})"
        )
    await shop.days(2 * MINUTE / DAY)
    assert await shop.status() == "open"
    await shop.tell(shop.ana, "!forget me confirm")
    assert await shop.units() == {"ana": 3}
    await shop.days(HOUR / DAY)
    assert await shop.status() == "failed" and await mentions(service, shop.ana.mxid)
    await shop.days(1)
    await service.wait(15 * MINUTE)
    assert await mentions(service, shop.ana.mxid) == [] and shop.told(shop.ana)[-1] == DONE


async def test_an_owner_has_to_hand_over_first(circle: Journey, service: Service) -> None:
    for typed in ("!forget me", "!forget me confirm", "!leave"):
        asked = await circle.tell(circle.rosa, typed)
        assert circle.signs(asked) == ["⚠️"]
        assert circle.told(circle.rosa)[-1].startswith("You own “Wool circle”. Hand it over first")
    await circle.days(1)
    assert (await circle.members())["rosa"] == ("joined", 100) and count_files(circle, circle.rosa) == 0
    await circle.tell(circle.rosa, f"!handover {circle.ben.mxid} confirm")
    await forget(circle, "rosa")
    assert await mentions(service, circle.rosa.mxid) == []


async def test_a_forgotten_concierge_is_out_of_the_desk_without_power(circle: Journey, hs: FakeHomeserver) -> None:
    await forget(circle, "ben")
    assert hs.room(circle.desk).membership(circle.ben.mxid) == "leave"
    for room in (circle.group, circle.desk):
        assert circle.ben.mxid not in hs.room(room).content("m.room.power_levels")["users"]


async def test_who_comes_back_is_new_and_nobody_gets_the_old_alias(circle: Journey, service: Service) -> None:
    await circle.tell(circle.ana, "!alias Otter")
    await forget(circle)
    await circle.tell(circle.rosa, f"!invite {circle.ana.mxid}")
    [row] = await service.rows("SELECT * FROM member WHERE user_id = $1", circle.ana.mxid)
    assert row["number"] == 6 and row["alias"] != "Otter"
    for person in (circle.ana, circle.otto):
        asked = await circle.tell(person, "!alias Ótter")
        assert circle.signs(asked) == ["⚠️"]
    asked = await circle.tell(circle.rosa, "!invite Otter")
    assert circle.signs(asked) == ["⚠️"] and await service.rows("SELECT * FROM effect WHERE status = 'parked'") == []


async def test_joining_again_before_calls_it_off(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    await forget(shop)
    await shop.tell(shop.rosa, f"!invite {shop.ana.mxid}")
    await shop.days(3)
    assert (await shop.members())["ana"] == ("joined", 0) and await service.rows(
        "SELECT * FROM timer WHERE kind = 'forget'"
    ) == []


async def test_asking_again_while_it_waits_sends_no_second_file(shop: Journey) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    await forget(shop)
    await forget(shop)
    assert count_files(shop, shop.ana) == 1
    assert shop.told(shop.ana)[-1].startswith("You have asked for that already.")


async def test_the_seats_of_their_codes_and_their_own_are_free(circle: Journey, service: Service) -> None:
    await circle.code(circle.ben)
    taken = await circle.seats()
    await forget(circle, "ben")
    assert await circle.seats() == taken - 2


async def test_somebody_who_only_waits_for_a_seat_is_forgotten_too(circle: Journey, service: Service) -> None:
    lena = circle.person("lena")
    await circle.direct(lena)
    await circle.fill()
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert await circle.waiting() == ["lena"]
    await forget(circle, "lena")
    assert await circle.waiting() == [] and await mentions(service, lena.mxid) == []


async def test_it_goes_on_after_a_restart_at_any_step(circle: Journey, service: Service) -> None:
    await circle.tell(circle.ana, "!forget me confirm")
    for _ in range(3):
        service.clock.advance(5_000)
        await service.restart()
    await service.wait(15 * MINUTE)
    assert await mentions(service, circle.ana.mxid) == []
    assert circle.told(circle.ana).count(DONE) == 1


async def test_who_has_as_much_power_as_the_service_has_to_leave_by_themselves(
    circle: Journey, service: Service
) -> None:
    """As in an adopted room, where nobody can remove the other."""
    await _set_bot_power(service, "0")
    asked = await circle.tell(circle.ana, "!leave")
    assert circle.signs(asked) == ["⚠️"] and circle.told(circle.ana)[-1].startswith("I cannot take you out, since you")
    await forget(circle)
    assert circle.told(circle.ana)[-1].startswith("I cannot take you out of “Wool circle”, since you have as much")
    assert circle.room.membership(circle.ana.mxid) == "join" and (await circle.members())["ana"] == ("joined", 0)
    circle.ana.leave(circle.group)
    await _set_bot_power(service, "NULL")
    await circle.days(1)
    await service.wait(15 * MINUTE)
    assert await mentions(service, circle.ana.mxid) == [] and circle.told(circle.ana)[-1] == DONE


async def _set_bot_power(service: Service, power: str) -> None:
    async with service.store.unit() as unit:
        await unit._connection.execute(f"UPDATE coterie_group SET bot_power = {power}")


async def test_a_group_that_never_came_about_keeps_nobody_from_being_forgotten(
    engine: str, play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await play.direct(play.rosa)
    hs.faults.on_request(Fault.ERROR_500, times=None, match="POST .*createRoom")
    await play.tell(play.rosa, '!group create "Wool circle"')
    await service.wait(MINUTE)
    await forget(play, "rosa")
    assert await mentions(service, play.rosa.mxid) == []
    [group] = await service.rows("SELECT * FROM coterie_group")
    assert (group["owner"], group["status"]) == ("erased 0", "closed")


async def test_an_invitation_that_comes_meanwhile_holds_nothing_up(circle: Journey, service: Service) -> None:
    circle.ana.auto_join = False
    await circle.tell(circle.ana, "!forget me confirm")
    await circle.tell(circle.ben, f"!invite {circle.ana.mxid}")
    assert circle.room.membership(circle.ana.mxid) == "invite"
    await service.wait(15 * MINUTE)
    assert circle.room.membership(circle.ana.mxid) == "leave"
    assert circle.told(circle.ana)[-1] == DONE and "ana" not in await circle.members()
