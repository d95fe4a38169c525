"""Files and codes by direct message: sent once, and a code is written down nowhere."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.code import code_text
from appservice.domain.effect import CODE, Effect, TellCode, TellFile
from appservice.domain.ids import UserId
from appservice.present.text import Text, notice
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import MINUTE, Service


async def owe(service: Service, effect: Effect, cause: str = "test") -> None:
    async with service.store.unit() as unit:
        await Work(unit, service.config, Cause(cause, unit.now)).owe(effect)
    service.ring()
    await service.rest()


def export(play: Journey) -> TellFile:
    return TellFile(UserId(play.ana.mxid), "wool-circle.json", "application/json", '{"alias": "Ötter"}', "All I know.")


async def test_a_file_is_uploaded_and_sent_into_the_direct_room(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await play.direct(play.ana)
    await owe(service, export(play))
    (event,) = [e for e in hs.direct_events(play.ana) if e.content["msgtype"] == "m.file"]
    data, mime = hs.world.media[event.content["url"].rpartition("/")[2]]
    assert json.loads(data) == {"alias": "Ötter"} and mime == "application/json"
    assert event.content == {
        "msgtype": "m.file",
        "body": "All I know.",
        "filename": "wool-circle.json",
        "url": event.content["url"],
        "info": {"mimetype": "application/json", "size": len(data)},
        "m.mentions": {},
    }


@pytest.mark.parametrize("match", ["POST .*/upload", "PUT .*/send/"])
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.ANSWER_LOST, Fault.ERROR_502])
async def test_a_file_is_sent_once_whatever_is_lost(
    play: Journey, hs: FakeHomeserver, service: Service, fault: Fault, match: str
) -> None:
    await play.direct(play.ana)
    hs.faults.on_request(fault, match=match)
    await owe(service, export(play))
    await service.wait(MINUTE)
    assert len([e for e in hs.direct_events(play.ana) if e.content["msgtype"] == "m.file"]) == 1


async def test_a_file_waits_until_its_reader_has_come(play: Journey, hs: FakeHomeserver, service: Service) -> None:
    play.person("ana", auto_join=False)
    await owe(service, export(play))
    assert hs.world.media == {}
    play.ana.join_all()
    await play.rest()
    assert [e.content["msgtype"] for e in hs.direct_events(play.ana)] == ["m.file"]


async def test_a_code_is_said_to_its_maker_and_written_down_nowhere(
    engine: str, play: Journey, hs: FakeHomeserver, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await play.direct(play.ana)
    code = code_text(service.config.appservice.as_token, "some-id")
    said = notice(Text(f"{CODE} lets one person in", f"<b>{CODE}</b> lets one person in"))
    hs.faults.on_request(Fault.ERROR_502, match="PUT .*/send/")
    await owe(service, TellCode(UserId(play.ana.mxid), "some-id", said))
    await service.wait(MINUTE)
    assert play.told(play.ana) == [f"{code} lets one person in"]
    assert hs.direct_events(play.ana)[-1].content["formatted_body"] == f"<b>{code}</b> lets one person in"
    await asyncio.sleep(0)
    for table in ("effect", "arrival", "code", "setting", "ledger", "told"):
        assert code not in str(await service.rows(f"SELECT * FROM {table}")), table
    assert code not in caplog.text
