"""What a person is told who comes in, and the cards that are posted afresh for newcomers."""

from __future__ import annotations

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, HOUR, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"


async def come_in(play: Journey, person: Person) -> None:
    """Rosa invites them; they accept that, and the direct room that the service opens."""
    await play.tell(play.rosa, f"!invite {person.mxid}")
    person.join(play.group)
    await play.rest()
    person.join_all()
    await play.rest()


def buy_cards(play: Journey) -> list[str]:
    """The cards of the buy in the group, oldest first."""
    return [event.event_id for event in play.hs.cards(play.group) if "tiers" in event.content[BUY]]


def closes(play: Journey) -> str:
    return f"closes Friday 27 November, 18:00 (Vienna time). !pledge 2 {play.buy}"


# ---- the one message ------------------------------------------------------------------------------


async def test_a_newcomer_is_told_all_they_need_in_one_message(engine: str, shop: Journey) -> None:
    await shop.tell(shop.rosa, "!alias Heron")
    await shop.tell(shop.ben, "!alias Badger")
    pia = shop.newcomer("@pia:remote.test")
    await come_in(shop, pia)
    assert shop.hs.direct_messages(pia) == [
        f"Welcome to {NAME}. I call you {await shop.alias(pia)} in all that I write; !alias Otter here changes that.\n"
        "Concierges, who help you: Heron, Badger.\n"
        "To ask something, write !ask and your question in the group, mention a concierge, or reply to a card; or "
        "write it to me directly, where the others do not see it. People answer, not I.\n"
        "I read the room to find pledges and commands, and the concierges see questions that are put to them. What was "
        "said before you joined stays hidden from you.\n"
        "You can pledge, here or in the group:\n"
        f"• Merino throw: €79.00 each once 10 are pledged, {closes(shop)}\n"
        "!help shows what else you can do; !mydata what I know of you."
    ]
    [event] = shop.hs.direct_events(pia)
    assert event.content["msgtype"] == "m.notice" and "<li>Merino throw" in event.content["formatted_body"]


async def test_the_welcome_shows_the_price_now_and_what_concierges_have_brought_to_a_good_end(shop: Journey) -> None:
    await shop.tell(shop.rosa, "!alias Heron")
    await shop.tell(shop.ben, "!alias Badger")
    await shop.plus(shop.ana, 12)
    await shop.close()
    await shop.open_buy("!buy open merino-throw 10:79 25:69 until friday 18:00")
    await shop.plus(shop.ana, 12)
    pia = shop.newcomer()
    await come_in(shop, pia)
    lines = shop.welcomes(pia)[0].split("\n")
    assert lines[1] == "Concierges, who help you: Heron, Badger (1 group buy kept, 0 cancelled)."
    assert lines[5] == f"• Merino throw: now €79.00 each, {closes(shop)}"


async def test_what_is_on_the_welcome_can_be_done_there(shop: Journey) -> None:
    pia = shop.newcomer()
    await come_in(shop, pia)
    line = next(line for line in shop.welcomes(pia)[0].split("\n") if line.startswith("• "))
    pledge = line[line.index("!pledge") :]
    asked = await shop.tell(pia, pledge)
    assert shop.signs(asked) == ["✅"] and await shop.units() == {"pia": 2}
    asked = await shop.tell(pia, "!alias Otter")
    assert shop.signs(asked) == ["✅"] and await shop.alias(pia) == "Otter"


async def test_each_joining_brings_one_message_and_other_changes_of_membership_none(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    pia = circle.newcomer()
    await come_in(circle, pia)
    for name in ("Pia", "Pippa", "Pia"):
        pia.set_name(circle.group, name)
    hs.delivery.redeliver()
    await circle.rest()
    service.clock.advance(1)
    await service.restart()
    assert len(circle.welcomes(pia)) == 1 and circle.told(pia) == []
    for times in (2, 3):
        pia.leave(circle.group)
        await circle.rest()
        await come_in(circle, pia)
        assert len(circle.welcomes(pia)) == times
        assert circle.welcomes(pia)[-1].startswith(f"Welcome back to {NAME}. I call you {await circle.alias(pia)} in")
    assert circle.told(pia) == [] and circle.posted() == []


async def test_a_newcomer_who_has_no_direct_room_yet_is_told_when_they_accept_it(
    circle: Journey, service: Service
) -> None:
    pia = circle.newcomer()
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    pia.join(circle.group)
    await circle.rest()
    assert circle.welcomes(pia) == [] and len(pia.invitations) == 1
    await circle.days(2)
    pia.join_all()
    await circle.rest()
    assert len(circle.welcomes(pia)) == 1


async def test_a_newcomer_sees_nothing_from_before_their_joining(shop: Journey) -> None:
    await shop.plus(shop.ana, 12)
    pia = shop.newcomer()
    await come_in(shop, pia)
    seen = [event.event_id for event in pia.sees(shop.group) if event.type == "m.room.message"]
    assert shop.card not in seen and seen == buy_cards(shop)[1:]


async def test_who_leaves_is_asked_whether_their_pledges_shall_stand_and_can_take_them_back(
    engine: str, shop: Journey
) -> None:
    await shop.plus(shop.ana, 3)
    told = len(shop.told(shop.ana))
    shop.ana.leave(shop.group)
    shop.otto.leave(shop.group)
    await shop.rest()
    assert shop.told(shop.ana)[told:] == [
        f"You have left {NAME}. What you pledged stands until you take it back:\n"
        f"• Merino throw: 3. !withdraw {shop.buy}"
    ]
    assert shop.told(shop.otto) == [] and await shop.units() == {"ana": 3}
    asked = await shop.tell(shop.ana, f"!withdraw {shop.buy}")
    assert shop.signs(asked) == ["✅"] and await shop.units() == {}


# ---- cards for newcomers --------------------------------------------------------------------------


async def test_a_newcomer_makes_a_fresh_card_that_is_the_pinned_and_edited_one(engine: str, shop: Journey) -> None:
    await shop.plus(shop.ana, 5)
    await shop.settle()
    old = shop.card
    pia = shop.newcomer()
    await come_in(shop, pia)
    assert len(buy_cards(shop)) == 2 and buy_cards(shop)[0] == old
    fresh = buy_cards(shop)[1]
    assert shop.room.pinned == [fresh] and shop.signs(fresh) == ["+1", "+2", "+5"]
    assert "5 pledged; 5 more and everyone pays €79.00" in shop.hs.event(fresh).body
    assert shop.room.content(BUY, shop.buy)["card"] == fresh
    edits = len(shop.room.edits(old))
    await shop.say(pia, "+2", reply_to=fresh)
    await shop.settle()
    assert len(shop.room.edits(old)) == edits and len(shop.room.edits(fresh)) == 1
    assert "7 pledged" in str(shop.room.content_now(shop.hs.event(fresh))["body"])


async def test_a_pledge_on_either_card_counts_and_can_be_taken_back(shop: Journey) -> None:
    old = shop.card
    await come_in(shop, shop.newcomer())
    fresh = buy_cards(shop)[1]
    await shop.say(shop.ana, "+2", reply_to=old)
    await shop.say(shop.otto, "+3", reply_to=fresh)
    shop.card = old
    reaction = await shop.react(shop.mia, "+5")
    shop.card = fresh
    await shop.react(shop.rosa, "+1")
    assert await shop.units() == {"ana": 2, "otto": 3, "mia": 5, "rosa": 1}
    await shop.redact(shop.mia, reaction)
    assert await shop.units() == {"ana": 2, "otto": 3, "rosa": 1}
    await shop.close()
    assert "closed" in shop.room.content_now(shop.hs.event(fresh))["body"].lower() and shop.room.pinned == []


async def test_there_is_one_fresh_card_a_day_however_many_come_in(shop: Journey, service: Service) -> None:
    hs = shop.hs
    people = [shop.newcomer(f"p{n}") for n in range(12)]
    for person in people[:3]:
        await come_in(shop, person)
    assert len(buy_cards(shop)) == 2
    await service.wait(DAY - HOUR)
    await come_in(shop, people[3])
    assert len(buy_cards(shop)) == 2
    await service.wait(HOUR)
    assert len(buy_cards(shop)) == 3  # for the fourth, when the day was over
    await service.wait(DAY)
    assert len(buy_cards(shop)) == 3  # nobody new, no card
    rosas = await shop.direct(shop.rosa)
    hs.pause_delivery()
    for person in people[4:]:
        person.auto_join = True
        shop.rosa.say(rosas, f"!invite {person.mxid}")
    hs.resume()
    await shop.rest()
    assert len(buy_cards(shop)) == 4 and len(shop.room.joined) == 1 + 5 + 12
    assert shop.room.pinned == buy_cards(shop)[-1:]


async def test_without_an_open_buy_nothing_is_posted_for_newcomers_and_no_day_is_lost(
    circle: Journey, service: Service
) -> None:
    await come_in(circle, circle.newcomer())
    assert circle.posted() == [] and "You can pledge" not in circle.welcomes(circle.person("pia"))[0]
    await circle.open_buy()
    await come_in(circle, circle.newcomer("sam"))
    assert len(buy_cards(circle)) == 2
    await service.wait(HOUR)
    await come_in(circle, circle.newcomer("tim"))
    await circle.close()
    await service.wait(DAY)
    assert len(buy_cards(circle)) == 2  # tim's would have shown a buy that is over
    await circle.open_buy("!buy open merino-throw 10:79 until friday 18:00")
    cards = len(buy_cards(circle))
    await come_in(circle, circle.newcomer("zoe"))
    assert len(buy_cards(circle)) == cards + 1


async def test_each_open_buy_has_a_fresh_card_and_a_concierges_pins_stay(shop: Journey) -> None:
    await shop.say(shop.ben, '!product add "Linen shirt" 40 https://shop.example/shirt')
    first = shop.card
    await shop.open_named("Linen shirt", "5:30 until friday 18:00")
    notes = shop.ben.say(shop.group, "Our rules")
    pinned = [*shop.room.pinned, notes]
    shop.ben.put_state(shop.group, "m.room.pinned_events", {"pinned": pinned})
    await shop.rest()
    await come_in(shop, shop.newcomer())
    cards = buy_cards(shop)
    assert len(cards) == 4 and cards[0] == first
    assert set(shop.room.pinned) == {notes, *cards[2:]}
    assert len(shop.welcomes(shop.person("pia"))[0].split("• ")) == 3
