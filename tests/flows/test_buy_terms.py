"""Terms of a group buy beyond its tiers: variants, limits for a member, costs; changed, scheduled, called off."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, HOUR, Service

SCARVES = (
    "!buy open merino-throw 5:79 10:69 until friday 18:00 least 2 most 8 step 2 variants S, M, Large blue "
    "shared 10.00 tax 20% on top"
)


@pytest.fixture
async def scarves(circle: Journey) -> Journey:
    await circle.add_product()
    await circle.open_buy(SCARVES)
    return circle


async def variants(play: Journey) -> dict[str, list[tuple[str, int]]]:
    rows = await play.service.rows(
        "SELECT m.user_id, t.variant, t.quantity FROM tranche t JOIN member m"
        " ON m.group_id = t.group_id AND m.number = t.number ORDER BY t.position"
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        found.setdefault(row["user_id"][1:].split(":")[0], []).append((row["variant"], row["quantity"]))
    return found


async def test_the_card_says_what_there_is_to_know_before_pledging(scarves: Journey) -> None:
    text = scarves.card_text
    for line in (
        "Price by total: 5+ €79.00 · 10+ €69.00", "Variants: S, M, Large blue",
        "For each member: at least 2, at most 8, in steps of 2",
        "Plus €10.00 shared cost, split by units\nPlus 20 % tax\n", "like +2 S",
    ):  # fmt: skip
        assert line in text, text


async def test_variants_are_pledged_in_words_and_ordered_billed_and_handed_out_by_label(
    scarves: Journey, service: Service
) -> None:
    for person, words in (
        (scarves.ana, "+2 m"), (scarves.ana, "+2 LARGE Blue"), (scarves.otto, "+2 S"), (scarves.mia, "+ 4 large blue"),
    ):  # fmt: skip
        asked = await scarves.say(person, words, reply_to=scarves.card)
        assert scarves.signs(asked) == ["✅"], words
        service.clock.advance(1)
    assert await variants(scarves) == {
        "ana": [("M", 2), ("Large blue", 2)], "otto": [("S", 2)], "mia": [("Large blue", 4)],
    }  # fmt: skip
    await scarves.settle()
    await scarves.close()
    assert await scarves.orders() == {"ana": (4, 6900, 33520), "otto": (2, 6900, 16760), "mia": (4, 6900, 33520)}
    [told] = scarves.told(scarves.ana)
    assert told.split("\n")[1:5] == [
        "4 (2 M, 2 Large blue) × €69.00 = €276.00",
        "your part of the shared cost: €4.00",
        "tax, 20 %: €55.20",
        "together €335.20",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("+2", "S, M"),
        ("+2 XL", "XL"),
        ("+1 S", "2"),
        ("+3 S", "2"),
        ("+10 S", "8"),
        ("!pledge 4-12 S", "8"),
        ("!pledge 2", "S, M"),
    ],
)
async def test_a_pledge_outside_the_terms_is_refused_with_what_they_are(scarves: Journey, words: str, why: str) -> None:
    asked = await scarves.say(scarves.ana, words, reply_to=scarves.card)
    await scarves.settle()
    assert scarves.signs(asked) == ["⚠️"] and await variants(scarves) == {}
    assert why in scarves.told(scarves.ana)[-1]


async def test_terms_change_freely_before_the_first_pledge_and_only_for_the_better_after_it(shop: Journey) -> None:
    asked = await shop.say(shop.ben, "!buy change 12:80 30:70 cap 60", to=shop.desk)
    assert shop.signs(asked) == ["✅"]
    await shop.settle()
    assert "12+ €80.00 · 30+ €70.00, at most 60" in shop.card_text
    await shop.plus(shop.ana, 3)
    before = await shop.ledger()
    for words in ("12:81 30:70", "14:80 30:70", "cap 50", "least 2", "most 5", "shared 1.00", "12:80 30:70"):
        asked = await shop.say(shop.ben, f"!buy change {words}", to=shop.desk)
        assert shop.signs(asked) == ["⚠️"], words
    assert await shop.ledger() == before and "12+ €80.00 · 30+ €70.00, at most 60" in shop.card_text
    asked = await shop.say(shop.ben, f"!buy change {shop.buy} 3:78 30:65 cap none", to=shop.desk)
    await shop.settle()
    assert shop.signs(asked) == ["✅"] and "3+ €78.00 · 30+ €65.00" in shop.card_text
    assert "the minimum order is reached, everyone pays €78.00 now" in shop.posted()[-1]
    state = shop.room.content(BUY, shop.buy)
    assert state["tiers"] == [{"minimum": 3, "unit_price": 7800}, {"minimum": 30, "unit_price": 6500}]
    assert state["unit_price"] == 7800 and "cap" not in state


async def test_a_scheduled_buy_opens_by_itself_and_takes_no_pledge_before(circle: Journey, service: Service) -> None:
    await circle.add_product()
    asked = await circle.say(
        circle.ben, "!buy open merino-throw 3:79 until friday 18:00 opens wednesday 9:00", to=circle.desk
    )
    assert circle.signs(asked) == ["✅"] and "opens by itself Wednesday" in circle.posted(circle.desk)[-1]
    assert not circle.hs.cards(circle.group, BUY) and await circle.service.rows("SELECT status FROM group_buy") == [
        {"status": "scheduled"}
    ]
    circle.buy = (await circle.service.rows("SELECT id FROM group_buy"))[0]["id"]
    early = await circle.tell(circle.ana, f"!pledge 2 {circle.buy}")
    assert circle.signs(early) == ["⚠️"] and await circle.pledged() == {}
    await service.wait(3 * DAY)
    assert await circle.status() == "open"
    circle.find_card()
    await circle.plus(circle.ana, 3)
    await circle.settle()
    assert "Now €79.00 each" in circle.card_text


@pytest.mark.slow
async def test_a_buy_that_is_called_off_owes_nobody_anything(shop: Journey, hs: FakeHomeserver) -> None:
    await shop.plus(shop.ana, 12)
    messages = len(shop.posted())
    without = await shop.say(shop.ben, "!buy cancel", to=shop.desk)
    assert shop.signs(without) == ["⚠️"] and await shop.status() == "open"
    asked = await shop.say(shop.ben, f"!buy cancel {shop.buy} The supplier has none left", to=shop.desk)
    await shop.settle()
    assert shop.signs(asked) == ["✅"] and await shop.status() == "cancelled" and await shop.orders() == {}
    assert shop.posted()[messages:] == ["Merino throw: the group buy was cancelled. The supplier has none left."]
    assert shop.told(shop.ana) == [
        "Merino throw: the group buy was cancelled. The supplier has none left. You owe nothing."
    ]
    assert "Cancelled" in shop.card_text and shop.room.pinned == []
    late = await shop.plus(shop.otto, 1)
    assert shop.signs(late) == ["⚠️"]
    await shop.service.wait(7 * DAY)
    assert shop.posted()[messages + 1 :] == []


async def test_a_moved_deadline_is_said_once_and_holds(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 12)
    await shop.say(shop.otto, "!pledge 3 max 80")
    messages = len(shop.posted())
    soon = await shop.say(shop.ben, "!buy shorten in 3 hours", to=shop.desk)
    assert shop.signs(soon) == ["⚠️"] and "24 hours" in shop.posted(shop.desk)[-1]
    later = await shop.say(shop.ben, f"!buy extend {shop.buy} until saturday 12:00", to=shop.desk)
    await shop.settle()
    assert shop.signs(later) == ["✅"]
    [said] = shop.posted()[messages:]
    assert said.startswith("Merino throw: the closing time has moved. The group buy closes Saturday")
    assert f"!confirm {shop.buy}" in shop.told(shop.otto)[-1] and "12 pledged" in shop.card_text
    agreed = await shop.tell(shop.otto, "!confirm")
    await shop.settle()
    assert shop.signs(agreed) == ["✅"] and "15 pledged" in shop.card_text
    again = await shop.tell(shop.otto, "!confirm")
    assert shop.signs(again) == ["⚠️"]
    await service.wait(4 * DAY + 12 * HOUR)
    assert await shop.status() == "open"
    await service.wait(DAY)
    assert await shop.orders() == {"ana": (12, 7900, 94800), "otto": (3, 7900, 23700)}


@pytest.mark.slow
async def test_who_does_not_agree_to_a_later_date_is_not_in_and_told_why(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 12)
    await shop.say(shop.otto, "!pledge 3 max 80")
    await shop.say(shop.ben, "!buy extend until saturday 12:00", to=shop.desk)
    await service.wait(7 * DAY + HOUR)
    assert await shop.orders() == {"ana": (12, 7900, 94800)}
    assert "you had not agreed to its new closing time" in shop.told(shop.otto)[-1]
