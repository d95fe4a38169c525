"""A member of another homeserver takes part like everybody else."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import in_days
from tests.harness.circle import ORDER, CircleFactory
from tests.harness.person import PersonFactory
from tests.harness.service import ServiceFactory
from tests.harness.synapse import Synapse


async def test_a_remote_member_joins_pledges_in_every_way_and_gets_the_receipt(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    remote = await person("rena", on=federated[1])
    here = await circle(["ben"], ["ana", remote], rosa=rosa, service=service)
    ben, *_ = here
    assert remote.user_id.endswith(f":{federated[1].server_name}")
    await here.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw')
    card = await here.open_buy(ben, f"merino 3:79 8:69 until {in_days(5)} 18:00")
    await remote.sees(here.group, lambda e: e["event_id"] == card)

    reply = await remote.say(here.group, "+2", reply_to=card)
    await remote.sees_that(lambda: remote.reactions(here.group, reply) == {"✅": {here.bot}})
    await remote.react(here.group, card, "+5")
    await remote.sees(here.group, "the minimum order is reached")
    direct = await remote.create_direct(here.bot, joined_within=20)
    await remote.say(direct, "+1")
    await remote.sees(here.group, "8 are reached")
    wrong = await remote.say(here.group, "+0", reply_to=card)
    await remote.sees_that(lambda: remote.reactions(here.group, wrong) == {"⚠️": {here.bot}})
    await remote.direct_message_from(here.bot, "I need a whole number of units")

    await rosa.say(here.desk, "!buy close")
    receipt = await remote.direct_message_from(here.bot, lambda e: ORDER in e["content"])
    assert "8 × €69.00 = €552.00" in receipt["content"]["body"]
    assert "https://shop.example/throw?reference=" in receipt["content"]["body"]
    summary = await ben.sees(here.desk, "8 units, 1 order, €552.00.")
    assert f"{await here.alias_of(remote)}: 8, €552.00" in summary["content"]["body"]
    assert remote.user_id not in summary["content"]["body"]


@pytest.mark.slow
async def test_a_remote_person_whose_server_is_not_there_gives_the_seat_back(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle([], ["ana"], rosa=rosa, service=service, cap=3)
    await rosa.say(here.direct, "!invite @nobody:localhost:1")
    told = await rosa.direct_message_from(here.bot, "could not be invited", timeout=180)
    assert told["content"]["body"] == (
        "@nobody:localhost:1 could not be invited: their server cannot be reached. The seat is free again."
    )
    await here.welcome(await person("otto"))


async def test_somebody_who_does_not_exist_here_or_elsewhere_takes_no_seat_and_who_asked_is_told(
    federated: tuple[Synapse, Synapse], person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle([], ["ana"], rosa=rosa, service=service, cap=3)
    for nobody in (f"@nobody:{homeserver.server_name}" for homeserver in federated):
        asked = await rosa.say(here.direct, f"!invite {nobody}")
        told = await rosa.direct_message_from(here.bot, "could not be invited", after=asked, timeout=20)
        assert told["content"]["body"] == (
            f"{nobody} could not be invited: there is no such account. The seat is free again."
        )
    await here.welcome(await person("otto", on=federated[1]))
