"""A concierge moves the closing time of an open group buy: who pledged only up to a price has to agree."""

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, HOUR, MINUTE, HandClock, Service

FRIDAY_18 = 1_795_798_800_000  # 2026-11-27 18:00 in Vienna
THURSDAY_18, SATURDAY_18 = FRIDAY_18 - DAY, FRIDAY_18 + DAY
MOVED = "Merino throw: the closing time has moved. The group buy closes "
TIMERS = "SELECT kind, due_at FROM timer WHERE subject = $1 AND kind IN ('deadline', 'hour') ORDER BY kind"


def announced(play: Journey) -> list[str]:
    """When the group was told that the buy closes, because a concierge has moved it."""
    return [text.removeprefix(MOVED) for text in play.posted() if text.startswith(MOVED)]


async def timers(play: Journey) -> dict[str, int]:
    return {row["kind"]: row["due_at"] for row in await play.service.rows(TIMERS, play.buy)}


async def suspended(play: Journey) -> int:
    """How many tranches wait for their owner's word."""
    [row] = await play.service.rows("SELECT COUNT(*) AS n FROM tranche WHERE suspended = 1")
    return int(row["n"])


async def jump(play: Journey, at: int) -> None:
    """The service is down until a time."""
    await play.service.stop()
    play.service.clock.advance(at - play.service.clock.now())
    await play.service.start()


async def refused(play: Journey, text: str, *, by: str = "ben") -> str:
    """A command is refused, and nothing has changed; gives why."""
    before = (await timers(play), await play.ledger(), len(play.posted()), play.card_text)
    person = play.person(by)
    asked = await play.say(person, text)
    assert play.signs(asked) == ["⚠️"]
    assert (await timers(play), await play.ledger(), len(play.posted()), play.card_text) == before
    return play.told(person)[-1]


async def test_an_extended_buy_closes_at_its_new_time_and_says_so_once(
    engine: str, shop: Journey, service: Service, clock: HandClock
) -> None:
    await shop.plus(shop.ana, 10)
    assert await timers(shop) == {"deadline": FRIDAY_18, "hour": FRIDAY_18 - HOUR}
    asked = await shop.say(shop.ben, "!buy extend until saturday 18:00")
    assert shop.signs(asked) == ["✅"] and announced(shop) == ["Saturday 28 November, 18:00 (Vienna time)."]
    assert await timers(shop) == {"deadline": SATURDAY_18, "hour": SATURDAY_18 - HOUR}
    assert shop.room.content(BUY, shop.buy)["closes_at"] == SATURDAY_18
    await jump(shop, FRIDAY_18 + HOUR)
    assert await shop.status() == "open" and shop.signs(await shop.plus(shop.otto, 1)) == ["✅"]
    await service.wait(SATURDAY_18 - clock.now() + 6_000)
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (1, 7900, 7900)}
    assert len(announced(shop)) == len([text for text in shop.posted() if "closes in an hour" in text]) == 1


async def test_a_shortened_buy_closes_at_its_new_time_and_no_pledge_waits(
    engine: str, shop: Journey, service: Service, clock: HandClock
) -> None:
    await shop.say(shop.ana, "!pledge 10 max 80")
    asked = await shop.say(shop.ben, "!buy shorten until thursday 18:00")
    assert shop.signs(asked) == ["✅"] and announced(shop) == ["Thursday 26 November, 18:00 (Vienna time)."]
    assert await timers(shop) == {"deadline": THURSDAY_18, "hour": THURSDAY_18 - HOUR}
    assert await suspended(shop) == 0 and shop.told(shop.ana) == []
    await jump(shop, THURSDAY_18 - MINUTE)
    assert await shop.status() == "open"
    await service.wait(MINUTE + 6_000)
    assert await shop.status() == "collecting" and await shop.orders() == {"ana": (10, 7900, 79000)}


async def test_shortening_takes_a_days_notice(shop: Journey) -> None:
    await shop.plus(shop.ana, 10)
    why = await refused(shop, "!buy shorten until in 23 hours")
    assert why == "Members need notice: the new deadline is at least 24 hours away. To end the buy now: !buy close"
    assert shop.signs(await shop.say(shop.ben, "!buy shorten until in 24 hours")) == ["✅"]


async def test_only_concierges_move_the_closing_time_and_only_in_the_right_direction(shop: Journey) -> None:
    await shop.plus(shop.ana, 10)
    await refused(shop, "!buy extend until saturday 18:00", by="ana")
    await refused(shop, "!buy extend until thursday 18:00")
    await refused(shop, "!buy shorten until saturday 18:00")
    await refused(shop, "!buy extend until friday 18:00")


async def test_a_pledge_up_to_a_price_waits_after_an_extension_until_its_owner_agrees(
    engine: str, shop: Journey, service: Service
) -> None:
    await shop.say(shop.ana, "!pledge 10 max 80")
    await shop.plus(shop.otto, 12)
    await shop.say(shop.mia, "!pledge 3 max 80")
    await shop.settle()
    assert "Now €69.00 each" in shop.card_text
    await shop.say(shop.ben, "!buy extend until saturday 18:00")
    await shop.settle()
    assert await suspended(shop) == 2 and shop.told(shop.otto) == []
    assert "Now €79.00 each" in shop.card_text
    assert shop.told(shop.ana) == [
        "Merino throw: the group buy closes later now, Saturday 28 November, 18:00 (Vienna time). You pledged only up "
        f"to a price, so your pledge waits until you agree: !confirm {shop.buy}. To take it back: !withdraw {shop.buy}."
    ]
    asked = await shop.tell(shop.ana, f"!confirm {shop.buy}")
    await shop.settle()
    assert shop.signs(asked) == ["✅"] and await suspended(shop) == 1 and "22 pledged" in shop.card_text
    again = await shop.tell(shop.ana, "!confirm")
    assert shop.signs(again) == ["⚠️"]
    await jump(shop, SATURDAY_18 - MINUTE)
    await service.wait(MINUTE + 6_000)
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (12, 7900, 94800)}
    assert shop.told(shop.mia)[-1] == (
        "Merino throw: the group buy has closed and you had not agreed to its new closing time. You owe nothing."
    )


async def test_who_adds_or_sets_after_an_extension_has_agreed(shop: Journey) -> None:
    await shop.say(shop.ana, "!pledge 10 max 80")
    await shop.say(shop.otto, "!pledge 4 max 80")
    await shop.say(shop.ben, "!buy extend until saturday 18:00")
    assert await suspended(shop) == 2
    added = await shop.plus(shop.ana, 1)
    set_anew = await shop.say(shop.otto, "!pledge 4 max 79")
    assert await suspended(shop) == 0 and shop.signs(added) == shop.signs(set_anew) == ["✅"]
    await shop.close()
    assert await shop.orders() == {"ana": (11, 7900, 86900), "otto": (4, 7900, 31600)}


async def test_who_takes_a_waiting_pledge_back_is_out_and_each_extension_asks_anew(shop: Journey) -> None:
    await shop.say(shop.ana, "!pledge 10 max 80")
    await shop.plus(shop.otto, 10)
    await shop.say(shop.mia, "!pledge 2 max 80")
    await shop.say(shop.ben, "!buy extend until saturday 18:00")
    await shop.tell(shop.mia, f"!withdraw {shop.buy}")
    await shop.tell(shop.ana, f"!confirm {shop.buy}")
    await shop.say(shop.ben, "!buy extend until sunday 18:00")
    assert await suspended(shop) == 1 and await shop.units() == {"ana": 10, "otto": 10}
    assert [len([text for text in shop.told(p) if "closes later now" in text]) for p in (shop.ana, shop.mia)] == [2, 1]
    await shop.close()
    assert await shop.orders() == {"otto": (10, 7900, 79000)}


async def test_a_buy_whose_pledges_all_wait_fails_and_nobody_owes(shop: Journey) -> None:
    await shop.say(shop.ana, "!pledge 12 max 80")
    await shop.say(shop.ben, "!buy extend until saturday 18:00")
    await shop.close()
    assert await shop.status() == "failed" and await shop.orders() == {} and shop.receipts(shop.ana) == []
    assert shop.told(shop.ana)[-1].endswith("You owe nothing.")


async def test_nothing_is_to_be_agreed_to_without_an_extension_or_without_a_price(shop: Journey) -> None:
    await shop.plus(shop.ana, 10)
    await refused(shop, "!confirm", by="ana")
    await shop.say(shop.ben, "!buy extend until saturday 18:00")
    await refused(shop, "!confirm", by="ana")


async def test_an_extension_typed_in_time_counts_and_one_typed_after_the_deadline_does_not(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    await shop.plus(shop.ana, 10)
    await jump(shop, FRIDAY_18 - 1)
    assert shop.signs(await shop.say(shop.ben, "!buy extend until in 2 days")) == ["✅"]
    await service.wait(MINUTE)
    assert await shop.status() == "open"
    await jump(shop, FRIDAY_18 - 1 + 2 * DAY - MINUTE)
    await service.wait(MINUTE + 6_000)
    assert await shop.status() == "collecting"
    assert shop.signs(await shop.say(shop.ben, f"!buy extend {shop.buy} until in 2 days")) == ["⚠️"]
    assert await shop.status() == "collecting"


async def test_an_extension_in_the_grace_after_an_outage_moves_the_end_on(
    engine: str, shop: Journey, service: Service
) -> None:
    await shop.plus(shop.ana, 10)
    await jump(shop, FRIDAY_18 + HOUR)
    assert shop.signs(await shop.say(shop.ben, "!buy extend until saturday 18:00")) == ["✅"]
    await service.wait(HOUR)
    assert await shop.status() == "open"
    await jump(shop, SATURDAY_18 - MINUTE)
    await service.wait(MINUTE + 6_000)
    assert await shop.status() == "collecting" and len(announced(shop)) == 1
