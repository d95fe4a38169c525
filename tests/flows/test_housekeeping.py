"""What the service does by itself as time passes."""

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import Service

DAY = 24 * 3_600_000


async def test_an_invitation_that_nobody_answers_is_taken_back_after_a_week(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    lena = circle.person("lena", auto_join=False)
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert circle.room.members[lena.mxid] == "invite"
    await service.wait(7 * DAY - 60_000)
    assert circle.room.members[lena.mxid] == "invite"
    await service.wait(60_001)
    assert circle.room.members[lena.mxid] == "leave"
    assert hs.direct_messages(circle.rosa)[-1] == (
        f"{lena.mxid} has not answered the invitation to “Wool circle”. It has expired, and the seat is free again."
    )
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert circle.room.members[lena.mxid] == "invite"


async def test_who_has_joined_in_time_stays(circle: Journey, service: Service) -> None:
    before = dict(circle.room.members)
    await service.wait(8 * DAY)
    assert circle.room.members == before


async def test_a_buy_leaves_the_state_a_day_after_its_end(engine: str, shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.close()
    assert shop.room.content(BUY, shop.buy)["status"] == "succeeded"
    await service.wait(DAY)
    assert shop.room.content(BUY, shop.buy) == {}
