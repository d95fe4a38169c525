"""The service is cut off while it deals with keys, and goes on: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import pytest
from vodozemac import Account, AnyOlmMessage, Curve25519PublicKey

from tests.flows.cranked import Cranked
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_device import SIGNED
from tests.flows.homeserver_events import Json
from tests.flows.journey import Journey
from tests.flows.service import HandClock, Service

on_postgres = pytest.mark.parametrize("engine", ["postgres"], indirect=True)


class Strangers:
    """Who begins with the bot's device by one-time keys, which may be given out only once, and must be known here."""

    def __init__(self, hs: FakeHomeserver, service: Cranked) -> None:
        self.hs = hs
        self.service = service
        self.claimed: list[tuple[str, Json]] = []
        self.is_made = False

    def claim(self) -> None:
        """One key of each device."""
        devices = self.hs.world.keys.device_keys.get(self.hs.bot, {})
        found = self.hs.world.keys.claim({self.hs.bot: dict.fromkeys(devices, SIGNED)}).get(self.hs.bot, {})
        self.claimed += [item for keys in found.values() for item in keys.items()]

    async def after_a_crash(self) -> None:
        """Somebody claims a key before the next start."""
        self.claim()
        self.service.forget_keys()
        if self.is_made:
            await self.service.crypto.device.prepare()

    async def check(self) -> None:
        """All that is and was at the homeserver can be answered here."""
        while self.hs.world.keys.one_time and any(self.hs.world.keys.one_time.values()):
            self.claim()
        self.claim()
        once = Counter(key_id for key_id, key in self.claimed if not key.get("fallback"))
        assert set(once.values()) == {1}, "a key was given out twice"
        self.service.forget_keys()
        machine = self.service.crypto.device._machine
        await machine.reload()
        identity = Curve25519PublicKey.from_base64(machine.keys.identity_key)
        one_time = [key for _, key in self.claimed if not key.get("fallback")]
        last = self.claimed[-1][1]
        assert last.get("fallback")
        for key in (*one_time, last):  # of the fallback keys before, the homeserver has had too many here
            own = Account()
            session = own.create_outbound_session(identity, Curve25519PublicKey.from_base64(key["key"]))
            message = AnyOlmMessage.from_parts(*session.encrypt(b"hello").to_parts()).to_pre_key()
            assert message is not None
            machine.keys._inner.create_inbound_session(own.curve25519_key, message)  # raises where it is not known


@pytest.mark.parametrize("crashes", [True, False], ids=["crashed", "cancelled"])
async def test_a_device_whose_making_is_cut_off_anywhere_has_no_key_that_is_not_known_here(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str, crashes: bool
) -> None:
    async with Cranked(hs, clock, database) as service:
        await service.start()
        strangers = Strangers(hs, service)

        async def claim() -> None:
            strangers.claim()

        between = strangers.after_a_crash if crashes else claim
        await service.cut(lambda: service.crypto.device.prepare(), between)
        assert service.cuts > 30
        strangers.is_made = True
        for piece in ("renew_fallback", "replenish"):
            hs.crypto.exhaust(hs.bot, 45)
            await service.cut(lambda piece=piece: getattr(service.crypto.device, piece)(), between)
        [device] = [device for user, device in hs.world.devices if user == hs.bot]
        assert hs.world.keys.counts(hs.bot, device)[SIGNED] >= 45
        await strangers.check()
    hs.assert_conformant()


async def a_short_journey(play: Journey, service: Cranked) -> None:
    """Pledges with keys in time and keys that are late, in rooms that the bot writes in, too."""
    hs = play.hs
    await play.make_group(cap=10)
    direct = await play.direct(play.rosa)
    play.rosa.say(direct, f"!concierge add {play.ben.mxid}")
    for person in (play.ana, play.otto):
        play.rosa.say(direct, f"!invite {person.mxid}")
    await play.rest()
    await play.open_buy("!buy open merino-throw 2:79 6:69 until friday 18:00")
    late = hs.crypto.hold(sender=play.ana)
    play.ana.say(play.group, "+2", reply_to=play.card)
    play.otto.say(play.group, "+1", reply_to=play.card)
    await play.settle()
    late.release()
    twice = hs.crypto.duplicate(sender=play.otto)
    play.otto.device.outbound.clear()
    play.otto.say(play.group, "+4", reply_to=play.card)
    play.ben.add_device()
    await play.settle()
    twice.end()
    await play.close()


@pytest.mark.parametrize(
    ("engine", "how"),
    [
        ("sqlite", ""),
        ("postgres", ""),
        ("sqlite", "twice"),
        ("postgres", "twice"),
        pytest.param("sqlite", "crashes", marks=pytest.mark.slow),
        pytest.param("postgres", "crashes", marks=pytest.mark.slow),
    ],
    indirect=["engine"],
)
async def test_an_encrypted_journey_cut_off_at_every_suspension_comes_to_the_same(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    modes = {"twice": how == "twice", "crashes": how == "crashes"}
    async with Cranked(hs, clock, database, encrypted=True, **modes) as service:
        service.patient = True
        await service.start()
        play = Journey(hs, service)
        await a_short_journey(play, service)
        assert await play.orders() == {"ana": (2, 6900, 13800), "otto": (5, 6900, 34500)}
        posted = play.posted()
        assert len(posted) == len(set(posted)) == 5, posted  # product, card, two tiers, the end
        for event in play.room.messages():
            if event.sender != hs.bot:
                assert play.signs(event.event_id) == ["✅"], event.body
        await service.assert_nothing_set_aside()
        assert not await service.rows("SELECT id FROM arrival WHERE status = 'keyless'")
        assert service.cuts > 300
    hs.assert_conformant()
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert {line.partition(" <")[0] for line in logged} <= {"Resetting connection with an active transaction"}


@pytest.mark.usefixtures("sealed")
@on_postgres
async def test_keys_that_the_database_could_not_take_at_first_come_again(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, errors: list[str]
) -> None:
    """Whoever waits for two keys at once and whoever brings them may stand in each other's way."""
    errors.append("crypto traffic could not be handled")
    late = hs.crypto.hold()
    asked = [await shop.plus(person, 2) for person in (shop.ana, shop.otto)]
    ana, otto = (str(person.device.outbound[shop.group].session.session_id) for person in (shop.ana, shop.otto))
    async with service.store.unit() as unit:
        await unit.keys.hold(otto)
        late.release()

        async def blocked() -> int:
            rows = await service.rows("SELECT COUNT(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return int(rows[0]["n"])

        while not await blocked():
            pass
        await unit.keys.hold(ana)
    await service.until(lambda: all(shop.signs(one) for one in asked))
    assert await shop.units() == {"ana": 2, "otto": 2}
    assert shop.told(shop.ana) == [] == shop.told(shop.otto)


@pytest.mark.slow
@pytest.mark.usefixtures("sealed")
async def test_a_database_that_is_gone_for_a_while_does_not_end_the_listening(
    shop: Journey, service: Service, errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors.append("crypto traffic could not be handled")
    machine: Any = service._crew.traffic._machine  # type: ignore[union-attr]
    failed: list[str] = []
    for step in ("open", "load"):
        real = getattr(machine, step)

        async def gone(*args: Any, step: str = step, real: Any = real) -> Any:
            if failed.count(step) < (1 if step == "open" else 2):
                failed.append(step)
                raise OSError("gone")
            return await real(*args)

        monkeypatch.setattr(machine, step, gone)
    shop.ana.device.outbound.clear()
    asked = shop.ana.say(shop.group, "!pledge 2")
    await service.until(lambda: shop.signs(asked) == ["✅"])
    assert failed == ["open", "load", "load"] and await shop.units() == {"ana": 2}


@pytest.mark.slow
async def test_who_has_a_new_device_reads_every_room_that_is_written_in_at_the_same_time(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str
) -> None:
    async with Cranked(hs, clock, database, encrypted=True) as service:
        await service.start()
        play = Journey(hs, service)
        await play.open_group()
        content = {"msgtype": "m.notice", "body": "news"}

        async def say(room: str, after: float) -> None:
            await asyncio.sleep(after)
            await service.crypto.encrypt(room, "m.room.message", content)

        for ms in range(12):
            for person in (play.rosa, play.ben):
                person.add_device()
            await play.rest()
            since = len(hs.crypto.keys_sent)
            await asyncio.gather(say(play.group, 0), say(play.desk, ms / 1000))
            given = {(key.room, key.device) for key in hs.crypto.keys_sent[since:]}
            devices = {device.device_id for person in (play.rosa, play.ben) for device in person.devices}
            assert given >= {(room, device) for room in (play.group, play.desk) for device in devices}
