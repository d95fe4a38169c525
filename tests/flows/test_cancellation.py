"""Every unit, every send and every timer of the main job, cancelled at each of its suspensions and repeated."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.flows.cranked import Cranked
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.outcome import differences, outcome
from tests.flows.service import HandClock


@pytest.mark.parametrize(
    ("engine", "twice"),
    [
        ("sqlite", False),
        ("postgres", True),
        pytest.param("sqlite", True, marks=pytest.mark.slow),
        pytest.param("postgres", False, marks=pytest.mark.slow),
    ],
    indirect=["engine"],
)
async def test_a_journey_cancelled_at_every_suspension_comes_to_the_same(
    engine: str,
    hs: FakeHomeserver,
    clock: HandClock,
    database: str,
    calm: dict[str, Any],
    twice: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Cancelled once, and again at the very next suspension, which is that of the way out."""
    async with Cranked(hs, clock, database, twice=twice) as service:
        service.patient = True
        await service.start()
        play = Journey(hs, service)
        await play.main_job()
        found = await outcome(play)
        await service.assert_nothing_set_aside()
    found["rooms"]["Coterie, nothing to see here", (hs.bot,)] = 1  # made at the start, which is not turned by hand
    assert differences(found, calm) == []
    hs.assert_conformant()
    assert service.cuts > 1_000
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    # asyncpg's pool takes a BEGIN back whose cancellation its connection has not heard of yet
    assert {line.partition(" <")[0] for line in logged} <= {"Resetting connection with an active transaction"}
