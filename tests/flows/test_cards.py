"""Opening a group buy, its card, and what else the group gets to see of it while it runs."""

import asyncio
import itertools

import pytest

from appservice.commands.buys import _WORDS
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, OPEN, PRODUCT, THROW, Journey
from tests.flows.service import DAY, HOUR, MINUTE, MONDAY, Service

FRIDAY_18 = 1_795_798_800_000  # 2026-11-27 18:00 in Vienna


def state_content(shop: Journey, **more: object) -> dict[str, object]:
    """What the state event of the open buy says."""
    product = shop.hs.event(shop.product).content[PRODUCT]
    return {
        "version": 1,
        "id": shop.buy,
        "status": "open",
        "product": {name: product[name] for name in ("id", "sku", "name", "url")},
        "priceCurrency": "EUR",
        "exponent": 2,
        "tiers": [{"minimum": 10, "unit_price": 7900}, {"minimum": 25, "unit_price": 6900}],
        "pack": 1,
        "closes_at": FRIDAY_18,
        "opens_at": MONDAY,
        "card": shop.card,
        **more,
    }


async def test_an_opened_buy_is_a_pinned_card_with_buttons_and_a_published_picture(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    await circle.add_product()
    before = len(circle.room.events)
    asked = await circle.say(circle.ben, OPEN)
    circle.find_card()
    card = hs.event(circle.card)
    terms = {key: value for key, value in state_content(circle).items() if key != "card"}
    assert card.content == {
        "msgtype": "m.notice",
        "body": "Group buy: Merino throw\n"
        "€79.00 each once 10 are pledged\n"
        "░░░░░░░░░░░░\n"
        "0 pledged; 10 more and everyone pays €79.00\n"
        "Price by total: 10+ €79.00 · 25+ €69.00\n"
        "Closes Friday 27 November, 18:00 (Vienna time), 4 days left\n"
        "To join: react +1, +2 or +5, or reply with a number like +2. Free to withdraw until it closes.\n"
        "https://shop.example/throw",
        "format": "org.matrix.custom.html",
        "formatted_body": card.content["formatted_body"],
        "m.mentions": {},
        BUY: {**terms, "total": 0},
    }
    assert [(event.type, event.relation.get("key")) for event in circle.room.events[before + 1 :]] == [
        ("m.room.message", None),
        ("m.reaction", "✅"),
        ("m.reaction", "+1"),
        ("m.reaction", "+2"),
        ("m.reaction", "+5"),
        ("m.room.pinned_events", None),
        (BUY, None),
    ]
    assert circle.signs(asked) == ["✅"] and circle.signs(circle.card) == ["+1", "+2", "+5"]
    assert circle.room.pinned == [circle.card]
    assert circle.room.content(BUY, circle.buy) == state_content(circle)
    assert circle.told(circle.ben)[1:] == [
        "The group buy of Merino throw is open until Friday 27 November, 18:00 (Vienna time). If that is not the time "
        "you meant, end it with !buy close before anyone pledges, and open it again."
    ]


@pytest.mark.parametrize(
    ("typed", "echoed"),
    [
        ("friday 18:00", "Friday 27 November, 18:00"),
        ("tomorrow 12:30", "Tuesday 24 November, 12:30"),
        ("2026-12-24", "Thursday 24 December, 23:59"),
        ("2 december 9:00", "Wednesday 2 December, 09:00"),
        ("in 3 hours", "Monday 23 November, 16:00"),
        ("31.12.2026 20:00", "Thursday 31 December, 20:00"),
    ],
)
async def test_a_deadline_as_people_write_it_is_echoed_back_and_stands_on_the_card(
    circle: Journey, typed: str, echoed: str
) -> None:
    await circle.add_product()
    await circle.open_buy(f"!buy open merino-throw 10:79 until {typed} pack 2 cap 40")
    assert f"is open until {echoed} (Vienna time)." in circle.told(circle.ben)[-1]
    assert f"Closes {echoed} (Vienna time)" in circle.card_text
    assert "Price by total: 10+ €79.00, in packs of 2, at most 40" in circle.card_text


async def test_a_buy_opened_in_the_desk_is_answered_there_and_shown_in_the_group(circle: Journey) -> None:
    await circle.add_product()
    asked = await circle.say(circle.ben, OPEN, to=circle.desk)
    circle.find_card()
    assert circle.signs(asked) == ["✅"] and len(circle.told(circle.ben)) == 1
    assert circle.posted(circle.desk)[-1].startswith("The group buy of Merino throw is open until Friday")
    assert len(circle.posted()) == 2


async def test_pins_of_concierges_stay(circle: Journey, hs: FakeHomeserver) -> None:
    rules = await circle.say(circle.ben, "our rules")
    circle.ben.put_state(circle.group, "m.room.pinned_events", {"pinned": [rules]})
    await circle.open_buy()
    assert circle.room.pinned == [circle.card, rules]
    await circle.close()
    assert circle.room.pinned == [rules]


async def test_the_card_is_edited_at_most_once_in_five_seconds_and_not_for_nothing(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    edits: list[int] = []
    hs.world.observers.append(lambda e: edits.append(e.ts) if e.replaces == shop.card else None)
    for _ in range(40):
        await shop.plus(shop.ana, 1)
        await service.wait(700)
    await service.wait(10_000)
    gaps = [later - earlier for earlier, later in zip([MONDAY, *edits], edits, strict=False)]
    assert min(gaps) >= 5_000 and 5 <= len(edits) <= 7, gaps
    assert "40 pledged" in shop.card_text
    count = len(edits)
    for units in (39, 40, 39):
        await shop.say(shop.ana, f"!pledge {units}")
    await service.wait(HOUR)
    assert len(edits) == count + 1 and "39 pledged" in shop.card_text


async def test_time_left_on_the_card_keeps_step_without_new_messages(shop: Journey, service: Service) -> None:
    messages = len(shop.posted())
    assert "4 days left" in shop.card_text
    await service.wait(DAY)
    assert "3 days left" in shop.card_text
    await service.wait(2 * DAY + 3 * HOUR)
    assert "26 hours left" in shop.card_text
    assert len(shop.posted()) == messages
    assert len(shop.room.edits(shop.card)) < 40


async def test_each_tier_is_news_once_even_if_it_is_lost_and_reached_again(shop: Journey, hs: FakeHomeserver) -> None:
    states: list[int] = []
    hs.world.observers.append(
        lambda e: states.append(e.content["unit_price"]) if e.type == BUY and "unit_price" in e.content else None
    )
    await shop.plus(shop.ana, 10)
    await shop.say(shop.ana, "!withdraw")
    await shop.settle()
    assert "€79.00 each once 10 are pledged" in shop.card_text
    await shop.plus(shop.otto, 12)
    await shop.plus(shop.mia, 13)
    await shop.say(shop.mia, "!pledge 1")
    await shop.say(shop.mia, "!pledge 20")
    await shop.settle()
    assert shop.posted()[2:] == [
        "Merino throw: the minimum order is reached, everyone pays €79.00 now. 15 more and everyone pays €69.00.",
        "Merino throw: 25 are reached, everyone pays €69.00 now. That is the best price.",
    ]
    assert [price for price, _ in itertools.groupby(states)] == [7900, 6900], "and what was lost for 5 s is no news"
    assert shop.room.content(BUY, shop.buy) == state_content(shop, unit_price=6900)
    assert "Now €69.00 each" in shop.card_text


async def test_the_published_price_follows_where_a_tier_is_lost_again(shop: Journey) -> None:
    await shop.plus(shop.ana, 20)
    late = await shop.plus(shop.otto, 6)
    await shop.settle()
    assert shop.room.content(BUY, shop.buy)["unit_price"] == 6900
    await shop.redact(shop.otto, late)
    await shop.settle()
    assert shop.room.content(BUY, shop.buy)["unit_price"] == 7900


async def test_two_tiers_at_one_stroke_are_one_piece_of_news(shop: Journey) -> None:
    await shop.plus(shop.ana, 30)
    assert len(shop.posted()) == 3 and "25 are reached, everyone pays €69.00 now" in shop.posted()[-1]


async def test_a_hundred_pledges_over_two_tiers_are_at_most_six_new_messages(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    everybody = [shop.ana, shop.otto, shop.mia, shop.ben, shop.rosa]
    await shop.service.wait(HOUR)
    for number in range(100):
        person = everybody[number % 5]
        if number % 4 == 3:
            person.send(shop.group, "m.room.message", {"msgtype": "m.text", "body": f"!pledge {number // 5 + 1}"})
        else:
            person.say(shop.group, "+1", reply_to=shop.card)
        if number % 10 == 9:
            await service.wait(2_000)
    await service.wait(5 * DAY)
    assert await shop.status() == "collecting"
    assert len(shop.posted()) <= 6 + 1, shop.posted()  # the product's card is not of the buy
    assert shop.posted()[1].startswith("Group buy: Merino throw\nClosed at €69.00 each")


async def test_a_buy_of_another_group_cannot_be_shown_by_a_state_event(shop: Journey) -> None:
    throw = shop.buy
    await shop.make_group("Book circle")
    shop.rosa.put_state(shop.group, BUY, {"status": "open"}, state_key=throw)
    await shop.rest()
    assert shop.room.content(BUY, throw) == {}


async def test_the_last_hour_is_announced_once(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 12)
    messages = len(shop.posted())
    await service.wait(FRIDAY_18 - HOUR - MONDAY - 1)
    assert len(shop.posted()) == messages
    await service.wait(30 * MINUTE)
    assert shop.posted()[messages:] == [
        "Merino throw: the group buy closes in an hour, Friday 27 November, 18:00 (Vienna time). 13 more and everyone "
        "pays €69.00."
    ]
    assert "less than an hour left" in shop.card_text


async def test_a_short_buy_has_no_line_for_its_last_hour(circle: Journey, service: Service) -> None:
    await circle.open_buy("!buy open merino-throw 10:79 until in 90 minutes")
    await service.wait(80 * MINUTE)
    assert len(circle.posted()) == 2


async def test_a_help_leaves_out_what_the_command_alone_shows(circle: Journey) -> None:
    await circle.say(circle.ben, "!help", to=circle.desk)
    shown = circle.posted(circle.desk)[-1]
    assert "Where … stands" in shown and max(map(len, shown.split("\n"))) < 200
    for line in [line for line in shown.split("\n") if line.startswith("!") and " …" in line]:
        if line.startswith("!canned"):  # alone it lists what there is
            continue
        asked = await circle.say(circle.ben, line.split()[0], to=circle.desk)
        assert circle.signs(asked) == ["⚠️"], line
        assert circle.posted(circle.desk)[-1].startswith("Write it like this:"), line


async def test_a_word_that_buy_does_not_know_is_answered_with_all_that_it_does(circle: Journey) -> None:
    for typed in ("!buy", "!buy opne merino-throw 10:79 until friday 18:00"):
        asked = await circle.say(circle.ben, typed, to=circle.desk)
        lines = circle.posted(circle.desk)[-1].split("\n")
        assert circle.signs(asked) == ["⚠️"] and lines[0] == "Write it like this:"
        words = [line.removeprefix("• !buy ").split()[0] for line in lines[1:]]
        assert sorted(words) == sorted([*_WORDS, "share", "k3x9qf:"])


async def test_a_help_shows_what_this_person_may_do_here(circle: Journey) -> None:
    asked = await circle.say(circle.ana, "!help")
    assert circle.signs(asked) == ["✅"] and len(circle.posted()) == 0
    [member] = circle.told(circle.ana)
    assert "!pledge" in member and "!withdraw" in member and "+1, +2 or +5" in member
    assert "!buy" not in member and "!invite" not in member and "!group" not in member
    await circle.tell(circle.ana, "!help")
    by_direct_message = circle.told(circle.ana)[-1]
    assert "!invite" in by_direct_message and "!alias" in by_direct_message and "!tree" not in by_direct_message
    await circle.tell(circle.ben, "!help")
    concierge = circle.told(circle.ben)[-1]
    assert "!invite" in concierge and "!product" in concierge and "!concierge" not in concierge
    await circle.tell(circle.rosa, "!help")
    assert "!group create" in circle.told(circle.rosa)[-1] and "!concierge add" in circle.told(circle.rosa)[-1]
    await circle.say(circle.ben, "!help", to=circle.desk)
    assert "!buy open" in circle.posted(circle.desk)[-1] and "!pledge 3" not in circle.posted(circle.desk)[-1]
    stranger = circle.person("@sam:remote.test")
    await circle.tell(stranger, "!help")
    assert circle.told(stranger) == [
        "!mydata: get a file with all that I keep about you\n"
        "!forget me: leave all groups, and have erased who you are\n"
        "If you were invited to a group, join its room first; if you were given a code, send it to me."
    ]


async def test_the_card_of_a_product_with_a_hostile_name_stays_one_line(circle: Journey) -> None:
    await circle.say(circle.ben, THROW.replace("Merino throw", "Throw\u202e\u200b\u2028 of  wool"))
    assert circle.posted()[0].split("\n")[0] == "Throw of wool"


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_edits_of_the_card_and_pledges_do_not_lock_each_other_out(
    engine: str, shop: Journey, service: Service, errors: list[str]
) -> None:
    """A deadlock would cost a second each time, and be logged as an error, which fails the test."""
    people = [shop.ana, shop.otto, shop.mia, shop.ben, shop.rosa]
    directs = [await shop.direct(person) for person in people]
    for _ in range(20):
        for person, direct in zip(people, directs, strict=True):
            person.say(direct, "+1")
            person.say(shop.group, "+1", reply_to=shop.card)
        for _ in range(5):
            await asyncio.sleep(0.004)
            service.clock.advance(5_000)
            service.ring()
        await shop.rest()
    assert sum((await shop.units()).values()) == 200
