"""Pledging by `shop.coterie.pledge`, as another client or a bot does it for its user."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import Service

PLEDGE = "shop.coterie.pledge"
KIB_60 = 60 * 1024
NO_BUY = "There is no open group buy that this could be for."
HOSTILE: dict[str, tuple[str, dict[str, Any]]] = {
    "a float": ("units", {"units": 2.5}),
    "a float that is whole": ("units", {"units": 2.0}),
    "a boolean": ("units", {"units": True}),
    "a string": ("units", {"units": "2"}),
    "a list": ("units", {"units": [2]}),
    "nothing": ("units", {"units": None}),
    "none to add": ("units", {"units": 0, "mode": "add"}),
    "less than none": ("units", {"units": -2}),
    "huge": ("units", {"units": 2**53 - 1}),
    "more than one pledge may ask for": ("units", {"units": 10_000}),
    "another version": ("version", {"version": 2}),
    "a boolean for a version": ("version", {"version": True}),
    "no such mode": ("mode", {"mode": "take"}),
    "a mode that is no text": ("mode", {"mode": ["set"]}),
    "no id": ("buy", {"buy": 7}),
    "an empty id": ("buy", {"buy": ""}),
    "60 kB of id": ("buy", {"buy": "x" * KIB_60}),
    "a variant that is no text": ("variant", {"variant": 7}),
    "60 kB of variant": ("variant", {"variant": "M" * KIB_60}),
    "a range that ends before it begins": ("upto", {"upto": 1}),
    "a range beyond all": ("upto", {"upto": 10_000}),
    "a range where units are added": ("upto", {"mode": "add", "upto": 4}),
    "a free price": ("max_price", {"max_price": 0}),
    "a price in major units": ("max_price", {"max_price": 70.5}),
    "an astronomical price": ("max_price", {"max_price": 10**15}),
    "a price where units are added": ("max_price", {"mode": "add", "max_price": 7000}),
    "a price for nothing": ("max_price", {"units": 0, "max_price": 7000}),
    "a mistyped field": ("max_prize", {"max_prize": 7000}),
    "HTML in a field's name": ("<b>x</b>", {"<b>x</b>": 1}),
}


async def ask(shop: Journey, person: Person, room_id: str | None = None, **fields: Any) -> str:
    """Somebody's client writes a pledge into the group or elsewhere; a field that is `...` is left out."""
    content = {"version": 1, "buy": shop.buy, "mode": "set", "units": 2, **fields}
    content = {name: value for name, value in content.items() if value is not ...}
    event_id = person.send(room_id or shop.group, PLEDGE, content)
    await shop.rest()
    return event_id


async def assert_refused(shop: Journey, person: Person, event_id: str, *words: str) -> None:
    """One sign, one line by direct message, and nothing has happened."""
    assert shop.signs(event_id) == ["⚠️"]
    [line] = shop.told(person)
    assert all(word in line for word in words), line
    assert await shop.pledged() == {}
    assert not [row for row in await shop.ledger() if row[0] in ("pledged", "withdrawn", "options")]
    assert len(shop.posted()) == 2  # the product and the card: the room hears nothing of it
    await shop.service.assert_nothing_set_aside()


async def test_a_pledge_event_in_the_group_sets_the_whole_pledge_and_gets_its_sign(engine: str, shop: Journey) -> None:
    asked = await ask(shop, shop.ana, units=2, upto=4, max_price=7000)
    assert await shop.pledged() == {"ana": [(2, 2, 7000)]}
    assert shop.signs(asked) == ["⏳"] and shop.told(shop.ana) == []
    again = await ask(shop, shop.ana, units=3)
    assert await shop.pledged() == {"ana": [(2, 0, None), (1, 0, None)]}
    assert shop.signs(again) == ["✅"]
    await shop.settle()
    assert "3 pledged; 7 more" in shop.card_text
    assert len(shop.posted()) == 2


async def test_units_are_added_under_the_options_that_there_are(shop: Journey) -> None:
    await shop.say(shop.ana, "!pledge 2 max 70")
    await ask(shop, shop.ana, mode="add", units=3)
    assert await shop.pledged() == {"ana": [(2, 0, 7000), (3, 0, 7000)]}


async def test_the_relation_to_the_card_and_fields_of_others_are_left_alone(shop: Journey) -> None:
    asked = await ask(
        shop, shop.ana, **{"m.relates_to": {"rel_type": "m.reference", "event_id": shop.card}, "org.bot.mood": 0}
    )
    assert await shop.units() == {"ana": 2} and shop.signs(asked) == ["✅"]


async def test_by_direct_message_nobody_in_the_group_sees_it(shop: Journey) -> None:
    before = len(shop.room.events)
    asked = await ask(shop, shop.ana, await shop.direct(shop.ana), mode="add", units=5)
    assert await shop.units() == {"ana": 5} and shop.signs(asked) == ["✅"]
    assert [event for event in shop.room.events[before:] if event.sender == shop.ana.mxid] == []


async def test_setting_nothing_takes_the_pledge_back(shop: Journey) -> None:
    await ask(shop, shop.ana, units=4)
    asked = await ask(shop, shop.ana, units=0)
    assert await shop.pledged() == {} and shop.signs(asked) == ["✅"]


async def test_who_has_left_can_still_take_their_pledge_back_but_not_pledge(shop: Journey) -> None:
    direct = await shop.direct(shop.ana)
    await ask(shop, shop.ana, units=4)
    shop.ana.leave(shop.group)
    await shop.rest()
    refused = await ask(shop, shop.ana, direct, units=6)
    assert shop.signs(refused) == ["⚠️"] and await shop.units() == {"ana": 4}
    await ask(shop, shop.ana, direct, units=0)
    assert await shop.pledged() == {}


async def test_a_redaction_takes_back_what_it_added_if_it_is_its_authors(engine: str, shop: Journey) -> None:
    first = await ask(shop, shop.ana, mode="add", units=4)
    second = await ask(shop, shop.ana, mode="add", units=1)
    await shop.redact(shop.ben, second)
    assert await shop.units() == {"ana": 5}  # moderation never withdraws
    await shop.redact(shop.ana, first)
    assert await shop.units() == {"ana": 1}


async def test_what_was_removed_before_it_came_asks_for_nothing(shop: Journey, service: Service) -> None:
    shop.hs.pause_delivery()
    asked = shop.ana.send(shop.group, PLEDGE, {"version": 1, "buy": shop.buy, "mode": "set", "units": 2})
    shop.ana.redact(shop.group, asked)
    shop.hs.resume()
    await shop.rest()
    assert await shop.pledged() == {}
    assert shop.signs(asked) == [] and shop.told(shop.ana) == []
    await service.assert_nothing_set_aside()


async def test_an_edit_changes_nothing_and_is_told_what_counts(shop: Journey) -> None:
    first = await ask(shop, shop.ana, units=2)
    new = {"version": 1, "buy": shop.buy, "mode": "set", "units": 9}
    edit = await ask(
        shop, shop.ana, units=9,
        **{"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": first}},
    )  # fmt: skip
    assert await shop.units() == {"ana": 2}
    assert shop.signs(edit) == ["⚠️"] and len(shop.told(shop.ana)) == 1


@pytest.mark.parametrize(("field", "fields"), HOSTILE.values(), ids=HOSTILE)
async def test_what_cannot_be_read_is_refused_and_its_field_is_named(
    shop: Journey, field: str, fields: dict[str, Any]
) -> None:
    asked = await ask(shop, shop.ana, **fields)
    await assert_refused(shop, shop.ana, asked, f"“{field}”", "Nothing has changed")


@pytest.mark.parametrize("field", ["version", "buy", "mode", "units"])
async def test_a_field_that_is_missing_is_not_guessed(shop: Journey, field: str) -> None:
    asked = await ask(shop, shop.ana, **{field: ...})
    await assert_refused(shop, shop.ana, asked, f"“{field}”")


async def test_a_name_of_60_kb_is_not_quoted_whole(shop: Journey) -> None:
    asked = await ask(shop, shop.ana, **{"x" * KIB_60: 1})
    await assert_refused(shop, shop.ana, asked)
    assert len(shop.told(shop.ana)[0]) < 300


async def test_an_unknown_buy_is_refused_even_where_only_one_could_be_meant(shop: Journey) -> None:
    asked = await ask(shop, shop.ana, buy="222222")
    await assert_refused(shop, shop.ana, asked, NO_BUY)


async def test_a_buy_of_another_group_is_refused_like_one_that_does_not_exist(shop: Journey) -> None:
    await shop.say(shop.rosa, '!group create "Tea circle"', to=await shop.direct(shop.rosa))
    tea = shop.hs.room_named("Tea circle").room_id
    await shop.say(shop.rosa, '!product add "Sencha" 20 https://shop.example/sencha', to=tea)
    await shop.say(shop.rosa, "!buy open sencha 1:19 until friday 18:00", to=tea)
    [other] = [row["id"] for row in await shop.service.rows("SELECT id FROM group_buy") if row["id"] != shop.buy]
    asked = await ask(shop, shop.ana, buy=other)
    await assert_refused(shop, shop.ana, asked, NO_BUY)
    asked = await ask(shop, shop.ana, await shop.direct(shop.ana), buy=other)
    assert shop.signs(asked) == ["⚠️"] and shop.told(shop.ana) == [NO_BUY, NO_BUY]
    assert await shop.pledged() == {}


async def test_who_is_in_no_group_is_refused_like_by_a_buy_that_does_not_exist(shop: Journey) -> None:
    eve = shop.person("eve")
    asked = await ask(shop, eve, await shop.direct(eve))
    await assert_refused(shop, eve, asked, NO_BUY)


async def test_the_limits_of_a_pledge_hold_for_events_too(shop: Journey) -> None:
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "10:9 25:8 until friday 18:00 least 2 most 6 step 2 variants S, M")
    for fields, words in (
        ({"units": 3, "variant": "S"}, "multiple of 2"),
        ({"units": 8, "variant": "S"}, "at most 6"),
        ({"units": 2}, "S or M"),
        ({"units": 2, "variant": "XL"}, "“XL”"),
    ):
        asked = await ask(shop, shop.ana, **fields)
        assert shop.signs(asked) == ["⚠️"] and words in shop.told(shop.ana)[-1]
    assert await shop.pledged() == {}
    await ask(shop, shop.ana, units=2, variant="s")
    await ask(shop, shop.ana, units=4, variant="M")
    assert await shop.units() == {"ana": 6}
    await ask(shop, shop.ana, units=0, variant="M")
    assert await shop.units() == {"ana": 2}


async def test_it_is_too_late_once_the_buy_has_closed(shop: Journey) -> None:
    await shop.plus(shop.otto, 10)
    await shop.close()
    asked = await ask(shop, shop.ana)
    assert shop.signs(asked) == ["⚠️"] and "Too late" in shop.told(shop.ana)[-1]
    assert await shop.units() == {"otto": 10}


async def test_the_same_delivery_twice_counts_once(shop: Journey) -> None:
    shop.hs.delivery.duplicate = "new"
    await ask(shop, shop.ana, mode="add", units=3)
    shop.hs.delivery.duplicate = None
    assert await shop.units() == {"ana": 3}
