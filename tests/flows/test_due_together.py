"""What falls due for one question in the same moment rings once, and nobody is left out by that."""

from __future__ import annotations

import pytest

from tests.flows.helped import line_now, lines, take, thread
from tests.flows.journey import Journey
from tests.flows.service import HOUR, MINUTE, Service


@pytest.mark.parametrize("late", ["by a peer's answer", "by an outage"])
async def test_the_owners_are_told_also_where_the_question_goes_back_to_the_queue_at_once(
    late: str, circle: Journey, service: Service
) -> None:
    asked = await circle.say(circle.ana, "!ask Is it soft?")
    if late == "by an outage":
        await service.wait(50 * MINUTE)
    await take(circle, circle.ben)
    if late == "by a peer's answer":
        await circle.say(circle.otto, "I think so", reply_to=asked)
        await service.wait(HOUR + MINUTE)
    else:
        await service.stop()
        service.clock.advance(5 * HOUR)
        await service.start()
        await circle.settle()
        await service.wait(MINUTE)
    last = circle.hs.room(circle.desk).messages(circle.hs.bot)[-1].content
    assert thread(circle)[-1].startswith("For the owners: ")
    assert {circle.rosa.mxid, circle.ben.mxid} <= set(last["m.mentions"]["user_ids"])
    [line] = lines(circle)
    assert line_now(circle, line).startswith("❔ ")
