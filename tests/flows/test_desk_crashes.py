"""A question's life, cancelled at every suspension of every unit and send, and repeated: it comes to the same."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from tests.flows.asked import asks, replies, types
from tests.flows.cranked import Cranked
from tests.flows.helped import ask, help_rooms, lines, take
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.outcome import differences, outcome
from tests.flows.service import TOKENS, HandClock, Service


async def a_day_at_the_desk(play: Journey) -> None:
    """A question asked in the group, one asked directly, and a pledge written down for a member."""
    await play.open_group()
    await play.open_buy()
    asked = await asks(play, play.ana)
    taken = await take(play, play.ben)
    play.ben.redact(play.desk, taken)
    await play.rest()
    await take(play, play.rosa)
    await types(play, play.rosa, "!note asked the maker")
    await types(play, play.rosa, f"!hand {await play.alias(play.ben)} you know it")
    await replies(play, play.otto, "I think so", asked)
    answer = await replies(play, play.ben, "Very soft", asked)
    play.ana.edit(play.group, asked, "Is it warm?")
    await play.rest()
    play.ben.redact(play.group, answer)
    await play.rest()
    await replies(play, play.ben, "Very warm", asked)
    await play.decide(play.ben, lines(play)[0].event_id, "✅")
    await replies(play, play.ana, "And light?", asked)
    direct = await play.direct(play.mia)
    private = await ask(play, play.mia, "Is it for my bad skin?")
    await take(play, play.ben, private)
    [room] = help_rooms(play)
    await play.say(play.ben, "It is", to=room.room_id)
    await play.say(play.mia, "Sure?", to=room.room_id)
    await types(play, play.ben, f"!hand {await play.alias(play.rosa)} ask her doctor", private)
    play.mia.redact(direct, next(e.event_id for e in play.hs.room(direct).events if "skin" in str(e.original)))
    await play.rest()
    await play.say(play.ben, f"!pledge-for {await play.alias(play.otto)} 2", to=play.desk)
    proposal = play.hs.direct_events(play.otto)[-1]
    play.otto.react(await play.direct(play.otto), proposal.event_id, "✅")
    await play.rest()
    await asks(play, play.otto, "Is it red?")
    play.otto.leave(play.group)
    await play.rest()


async def what_came_of_it(play: Journey) -> dict[str, Any]:
    found = await outcome(play)
    ids = [row["id"] for row in await play.service.rows("SELECT id FROM question ORDER BY number")]
    of = {id: n for n, id in enumerate(ids)}
    parts = await play.service.rows("SELECT question_id, role, number FROM question_event")
    states = await play.service.rows("SELECT number, status, claimant, waits, helper FROM question ORDER BY number")
    found["questions"] = [dict(row) for row in states]
    found["parts"] = sorted(str((of[row["question_id"]], row["role"], row["number"])) for row in parts)
    facts = await play.service.rows("SELECT fact, number, actor FROM ledger WHERE fact LIKE 'question%' ORDER BY seq")
    found["facts"] = [tuple(row.values()) for row in map(dict, facts)]
    found["desk"] = [re.sub(r"\S+matrix\.to\S+", "(link)", text) for text in found["desk"]]
    found["rooms"] = {(re.sub("Help for .*", "Help", name), people): n for (name, people), n in found["rooms"].items()}
    return found


@pytest.mark.parametrize(
    ("engine", "twice"),
    [
        ("sqlite", False),
        pytest.param("sqlite", True, marks=pytest.mark.slow),
        pytest.param("postgres", False, marks=pytest.mark.slow),
        pytest.param("postgres", True, marks=pytest.mark.slow),
    ],
    indirect=["engine"],
)
async def test_a_day_at_the_desk_cancelled_at_every_suspension_comes_to_the_same(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str, tmp_path: Any, twice: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    calm_clock, file = HandClock(), f"sqlite:{tmp_path / 'calm.db'}"
    async with FakeHomeserver(clock=calm_clock.now, **TOKENS) as calm, Service(calm, calm_clock, file) as quiet:
        await quiet.start()
        play = Journey(calm, quiet)
        await a_day_at_the_desk(play)
        wanted = await what_came_of_it(play)
    async with Cranked(hs, clock, database, twice=twice) as service:
        service.patient = True
        await service.start()
        play = Journey(hs, service)
        await a_day_at_the_desk(play)
        found = await what_came_of_it(play)
        await service.assert_nothing_set_aside()
    found["rooms"]["Coterie, nothing to see here", (hs.bot,)] = 1  # made at the start, which is not turned by hand
    assert differences(found, wanted) == []
    hs.assert_conformant()
    assert service.cuts > 1_000
    assert [fact for fact, *_ in found["facts"]].count("question_asked") == 3
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    # asyncpg's pool takes a BEGIN back whose cancellation its connection has not heard of yet
    assert {line.partition(" <")[0] for line in logged} <= {"Resetting connection with an active transaction"}
