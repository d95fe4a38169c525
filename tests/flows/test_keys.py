"""Keys that come late or never: what waits for one keeps its place, and its sender hears of it once."""

from __future__ import annotations

import pytest

from appservice.actions.keyless import PATIENCE_MS
from appservice.store.inbox import KEPT_KEYLESS_MS, KEY_WAIT_MS
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import THROW, Journey
from tests.flows.service import DAY, HOUR, MINUTE, MONDAY, Service

pytestmark = pytest.mark.usefixtures("sealed")
NO_KEY = (
    "I cannot read what you wrote there: your client has not given me its key. If the key comes, I act on it as of "
    "when you wrote; if I do not put a ✅ to it soon, write it again."
)
CAPPED = "!buy open merino-throw 10:79 until friday 18:00 cap 12"
FRIDAY = MONDAY + 4 * DAY + 5 * HOUR
"""When the buy of the journey closes: at 18:00 in Vienna."""


async def waiting(service: Service) -> list[str]:
    """The ids of what waits for its key, or for that of what the same person has said before, in order."""
    return [row["id"] for row in await service.rows("SELECT id FROM arrival WHERE status <> 'done' ORDER BY seq")]


async def at_a_stroke(service: Service, ms: int) -> None:
    """Time passes, and nothing is done meanwhile."""
    service.clock.advance(ms)
    service.ring()
    await service.rest()


async def test_a_pledge_whose_key_is_late_counts_in_its_place_even_over_a_restart(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await circle.open_buy(CAPPED)
    late = hs.crypto.hold(sender=circle.ana)
    first = circle.ana.mischief.unshared(circle.group, "!pledge 8")
    circle.ana.mischief.share(circle.group)
    await circle.plus(circle.otto, 8)
    assert await circle.units() == {"otto": 8} and await waiting(service) == [first]
    await service.restart()
    assert await waiting(service) == [first] and circle.signs(first) == []
    late.release()
    await circle.rest()
    assert circle.signs(first) == ["✅"] and await waiting(service) == []
    assert circle.told(circle.ana) == [], "the key came in time"
    await service.wait(PATIENCE_MS)
    assert circle.told(circle.ana) == []
    await circle.close()
    orders = {name: units for name, (units, _, _) in (await circle.orders()).items()}
    assert orders == {"ana": 8, "otto": 4}, "who pledged first gets all, however late their key was"


async def test_who_was_first_has_their_place_though_others_were_counted_before(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    await circle.open_buy(CAPPED)
    late = hs.crypto.hold(sender=circle.ana)
    await circle.plus(circle.ana, 3)
    await circle.plus(circle.otto, 3)
    await circle.plus(circle.mia, 3)
    late.release()
    await circle.rest()
    rows = await circle.service.rows(
        "SELECT m.user_id FROM tranche t JOIN member m ON m.number = t.number ORDER BY t.position"
    )
    assert [row["user_id"] for row in rows] == [person.mxid for person in (circle.ana, circle.otto, circle.mia)]


async def test_a_sender_whose_key_does_not_come_hears_of_it_once_in_an_hour(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    lost = hs.crypto.drop(sender=shop.ana)
    await shop.direct(shop.ana)
    asked = [shop.ana.mischief.unshared(shop.group, "!pledge 1")]
    asked += [await shop.plus(shop.ana, units) for units in (2, 3)]
    await service.wait(PATIENCE_MS - 1)
    assert shop.told(shop.ana) == [] and [shop.signs(one) for one in asked] == [[], [], []]
    await service.wait(1)
    await shop.rest()
    assert shop.told(shop.ana) == [NO_KEY] and shop.signs(asked[0]) == ["⚠️"]
    asked.append(await shop.plus(shop.ana, 4))
    await service.restart()
    await service.wait(HOUR)
    assert shop.told(shop.ana) == [NO_KEY], "once in an hour"
    lost.end()
    other = shop.ana.mischief.unshared(shop.group, "!pledge 20")
    await service.wait(PATIENCE_MS)
    await shop.rest()
    assert shop.told(shop.ana) == [NO_KEY, NO_KEY] and shop.signs(other) == ["⚠️"]
    shop.ana.mischief.share(shop.group)
    await shop.rest()
    assert "✅" in shop.signs(other) and await shop.units() == {"ana": 20}
    assert await waiting(service) == asked, "the first session is lost for ever"
    await at_a_stroke(service, KEPT_KEYLESS_MS + 7 * HOUR)
    assert await waiting(service) == []


async def test_who_writes_in_many_sessions_without_keys_hears_of_it_once_in_an_hour(
    shop: Journey, service: Service
) -> None:
    await shop.direct(shop.ana)
    asked = [shop.ana.mischief.unshared(shop.group, f"!pledge {units}") for units in (1, 2, 3)]
    await service.wait(2 * PATIENCE_MS)
    await shop.rest()
    assert shop.told(shop.ana) == [NO_KEY] and [shop.signs(one) for one in asked] == [["⚠️"], [], []]


async def test_a_picture_whose_key_is_late_is_waited_for(circle: Journey, hs: FakeHomeserver, service: Service) -> None:
    held = hs.crypto.hold(sender=circle.ana)
    picture = circle.ana.image(circle.group, "throw.png")
    circle.ben.say(circle.group, THROW, reply_to=picture)
    await service.until(lambda: any("/event/" in request.path for request in hs.sent))
    held.release()
    service.patient = True  # what has failed is tried again
    await circle.rest()
    kinds = [event.content.get("msgtype") for event in circle.room.events if event.sender == hs.bot]
    assert [kind for kind in kinds if kind][-2:] == ["m.image", "m.notice"]


async def test_every_message_of_a_late_session_counts_and_gets_its_sign(shop: Journey, hs: FakeHomeserver) -> None:
    late = hs.crypto.hold(sender=shop.ana)
    asked = [await shop.plus(shop.ana, units) for units in (1, 2, 3)]
    await shop.service.wait(2 * PATIENCE_MS)
    assert await shop.units() == {} and shop.told(shop.ana) == [NO_KEY]
    late.release()
    await shop.rest()
    assert await shop.units() == {"ana": 6}
    assert all("✅" in shop.signs(one) for one in asked)


@pytest.mark.parametrize("removed", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("told_before", [False, True])
async def test_what_its_sender_removes_before_its_key_comes_is_never_counted(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, told_before: bool, removed: int
) -> None:
    late = hs.crypto.hold(sender=shop.ana)
    asked = [await shop.plus(shop.ana, 2), await shop.plus(shop.ana, 3)]
    if told_before:
        await service.wait(PATIENCE_MS)
    await shop.redact(shop.ana, asked[removed])
    assert await waiting(service) == [asked[1 - removed]]
    late.release()
    await shop.rest()
    assert await shop.pledged() == {"ana": [((3, 2)[removed], 0, None)]}
    assert not [line for line in await shop.ledger() if line[0] == "withdrawn"]


async def test_nobody_else_can_remove_what_waits_for_its_key(shop: Journey, hs: FakeHomeserver) -> None:
    late = hs.crypto.hold(sender=shop.ana)
    asked = await shop.plus(shop.ana, 2)
    shop.otto.redact(shop.group, asked, force=True)  # as a remote server might let it pass
    await shop.rest()
    late.release()
    await shop.rest()
    assert await shop.units() == {"ana": 2}, "as where nothing is encrypted"


async def test_a_key_that_was_removed_with_its_message_tells_nobody(shop: Journey, hs: FakeHomeserver) -> None:
    hs.crypto.drop(sender=shop.ana)
    asked = await shop.plus(shop.ana, 2)
    await shop.redact(shop.ana, asked)
    await shop.service.wait(2 * PATIENCE_MS)
    assert shop.told(shop.ana) == []


async def test_a_buy_waits_for_keys_before_it_closes_but_not_for_long(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.otto, 8)
    await service.wait(FRIDAY - service.clock.now() - MINUTE)
    late = hs.crypto.hold(sender=shop.ana)
    asked = await shop.plus(shop.ana, 2)
    await at_a_stroke(service, KEY_WAIT_MS - 2_000)
    assert await shop.status() == "open"
    late.release()
    await shop.rest()
    await shop.settle()
    assert await shop.status() == "collecting" and "✅" in shop.signs(asked)
    assert {name: units for name, (units, _, _) in (await shop.orders()).items()} == {"ana": 2, "otto": 8}


async def test_a_key_that_comes_after_the_close_brings_nothing_but_an_answer(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.otto, 10)
    await service.wait(FRIDAY - service.clock.now() - MINUTE)
    late = hs.crypto.hold(sender=shop.ana)
    asked = await shop.plus(shop.ana, 2)
    await at_a_stroke(service, KEY_WAIT_MS + 2_000)
    assert await shop.status() == "collecting"
    told = len(shop.told(shop.ana))
    late.release()
    await shop.rest()
    assert set(shop.signs(asked)) == {"⚠️"}
    [closed] = shop.told(shop.ana)[told:]
    assert "closed" in closed
    assert {name: units for name, (units, _, _) in (await shop.orders()).items()} == {"otto": 10}
