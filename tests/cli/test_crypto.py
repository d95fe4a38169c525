"""`coterie crypto` beside a service in this process and a fake homeserver over real HTTP."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from appservice import app
from appservice.clock import SystemClock
from appservice.domain.ids import RoomId
from appservice.matrix.crypto.device import DEFAULT_KEY
from appservice.store import settings
from appservice.store.inbox import NewArrival
from appservice.store.rooms import Room, RoomKind
from tests.cli.conftest import Coterie
from tests.flows.homeserver import FakeHomeserver
from tests.flows.service import TOKENS, HandClock, Service

KEY = re.compile(r"^  ((?:\w{4} )+\w{1,4})$", re.MULTILINE)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
MASTER = "m.cross_signing.master"

Crypto = Callable[..., Awaitable[Result]]


@pytest.fixture
def clock() -> HandClock:
    """The real time, standing still: the commands have no other."""
    return HandClock(SystemClock().now())


@pytest.fixture
async def hs(clock: HandClock) -> AsyncIterator[FakeHomeserver]:
    tokens: Any = TOKENS
    async with FakeHomeserver(clock=clock.now, **tokens) as server:
        yield server


@pytest.fixture
async def service(hs: FakeHomeserver, clock: HandClock, folder: Path) -> AsyncIterator[Service]:
    """The service, not started yet, and its configuration as a file."""
    async with Service(hs, clock, f"sqlite:{folder / 'coterie.db'}") as made:
        write(folder, made)
        yield made


def write(folder: Path, service: Service, **own: str) -> None:
    config = service.config
    sections = {
        "homeserver": {"address": config.homeserver.address, "domain": config.homeserver.domain},
        "appservice": {
            "address": config.appservice.address,
            "port": config.appservice.port,
            "database": config.appservice.database,
            **TOKENS,
            **own,
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(sections))


@pytest.fixture
def crypto(coterie: Coterie) -> Crypto:
    """`await crypto("status")`: the command in a thread, as it has an event loop of its own."""

    async def call(*words: str, typed: str | None = None) -> Result:
        return await asyncio.to_thread(coterie, "crypto", *words, typed=typed)

    return call


async def made(service: Service, crypto: Crypto) -> str:
    """Start the service, and give a recovery key."""
    await service.start()
    result = await crypto("recovery")
    assert result.exit_code == 0, result.output
    (key,) = KEY.findall(result.stdout)
    return str(key)


def lines(result: Result) -> dict[str, str]:
    return {line.partition(":")[0]: line for line in result.stdout.splitlines()}


def kept(hs: FakeHomeserver) -> dict[str, Any]:
    """The bot's account data at the homeserver."""
    return hs.world.keys.account_data.get(hs.bot, {})


def master(hs: FakeHomeserver) -> str:
    return str(*hs.world.keys.cross_signing[hs.bot]["master"]["keys"].values())


def devices(hs: FakeHomeserver) -> set[str]:
    return set(hs.world.keys.device_keys[hs.bot])


async def backup(file: Path) -> bytes:
    with closing(sqlite3.connect(file)) as connection:
        return connection.serialize()


async def lose(service: Service, backup: bytes | None = None) -> None:
    """Lose the database; restore a backup of it, if there is one."""
    await service.stop()
    await service._looking.aclose()
    for file in Path(service.database.removeprefix("sqlite:")).parent.glob("coterie.db*"):
        file.unlink()
    if backup:
        Path(service.database.removeprefix("sqlite:")).write_bytes(backup)
    await service.__aenter__()


# ---- status -----------------------------------------------------------------------------------------------


async def test_status_says_what_a_member_compares_and_that_all_is_well(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await made(service, crypto)
    (device,) = devices(hs)
    before = len(hs.world.keys.one_time[hs.bot, device]), kept(hs).copy()
    result = await crypto("status")
    fingerprint = hs.world.keys.device_keys[hs.bot][device]["keys"][f"ed25519:{device}"]
    said = lines(result)
    assert result.exit_code == 0, result.output
    assert list(said) == [
        *("✓ device", "✓ keys", "✓ signature", "✓ one-time keys", "✓ recovery key", "✓ messages", "✓ rooms"),
        "All is well.",
    ]
    shown = said["✓ device"].removeprefix(f"✓ device: {device}, fingerprint ")
    assert (shown.replace(" ", ""), {len(part) for part in shown.split()[:-1]}) == (fingerprint, {4})
    assert said["✓ signature"].endswith(re.sub("(....)", r"\1 ", master(hs)).strip())
    assert re.fullmatch(r"✓ recovery key: made \d{4}-\d\d-\d\d \d\d:\d\d UTC", said["✓ recovery key"])
    assert said["✓ one-time keys"] == "✓ one-time keys: 50 left at the homeserver, and a fallback key"
    assert (len(hs.world.keys.one_time[hs.bot, device]), kept(hs)) == before
    assert service.config.appservice.as_token not in result.output


async def test_status_asks_for_a_recovery_key(service: Service, crypto: Crypto) -> None:
    await service.start()
    result = await crypto("status")
    assert lines(result)["! recovery key"].endswith("none was made. To mend: make one: coterie crypto recovery")
    assert result.exit_code == 0


async def test_status_tells_how_many_messages_wait_but_not_whose(service: Service, crypto: Crypto) -> None:
    await service.start()
    async with service.store.unit() as unit:
        await unit.rooms.add(Room(RoomId("!a:fake.test"), RoomKind.DIRECT, "@ana:fake.test", {"algorithm": "x"}))
        arrived = NewArrival("$1", "!a:fake.test", "m.room.encrypted", '{"sender": "@ana:fake.test"}')
        await unit.inbox.journal([arrived], unit.now - 3 * 3_600_000)
        (waiting,) = await unit.inbox.due("!a:fake.test", unit.now, 1)
        await unit.inbox.wait_for_key(waiting, "session")
    result = await crypto("status")
    assert lines(result)["! messages"] == "! messages: 1 message waits for its key, the oldest for 3 hours"
    assert lines(result)["✓ rooms"] == "✓ rooms: 1 of 1 are encrypted"
    assert "ana" not in result.output


async def test_status_finds_that_the_homeserver_lost_the_keys(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await service.start()
    (device,) = devices(hs)
    del hs.world.keys.device_keys[hs.bot][device]
    result = await crypto("status")
    said = lines(result)
    assert said["✗ keys"].startswith("✗ keys: the homeserver does not know this device. To mend: start the service")
    assert said["- signature"] == "- signature: not known: the keys come first"
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "1 to mend.")


async def test_status_finds_a_device_that_is_not_signed(hs: FakeHomeserver, service: Service, crypto: Crypto) -> None:
    await service.start()
    hs.world.keys.signatures.clear()
    result = await crypto("status")
    assert lines(result)["✗ signature"].startswith("✗ signature: the device is not signed by the bot's identity.")
    assert result.exit_code == 1
    await service.stop()
    assert (await crypto("reset", "--yes")).exit_code == 0  # what it says
    await service.start()
    assert "✓ signature" in lines(await crypto("status"))


async def test_status_finds_a_homeserver_without_keys_for_new_sessions(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await service.start()
    await service.stop()
    (device,) = devices(hs)
    hs.world.keys.one_time[hs.bot, device].clear()
    hs.world.keys.fallback[hs.bot, device].clear()
    result = await crypto("status")
    begin = "✗ one-time keys: 0 left at the homeserver, and no unused fallback key. To mend: start"
    assert lines(result)["✗ one-time keys"].startswith(begin)
    assert result.exit_code == 1


async def test_status_finds_a_database_that_is_older_than_the_keys(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await service.start()
    kept(hs)["shop.coterie.keys"]["generation"] += 1
    result = await crypto("status")
    assert lines(result)["✗ keys"].startswith("✗ keys: the database is older than the keys in use")
    assert result.exit_code == 1


async def test_status_without_a_homeserver_says_what_it_knows(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await made(service, crypto)
    await service.stop()
    hs.go_down()
    result = await crypto("status")
    said = lines(result)
    assert list(said) == [
        *("✓ device", "✗ homeserver", "- keys", "- signature", "- one-time keys", "✓ recovery key"),
        *("✓ messages", "✓ rooms", "1 to mend."),
    ]
    assert said["✓ recovery key"].endswith("; not known whether the homeserver still has it")
    assert result.exit_code == 1


async def test_status_before_the_first_run_says_what_to_do(service: Service, crypto: Crypto) -> None:
    result = await crypto("status")
    assert lines(result)["✗ device"] == "✗ device: there is none yet. To mend: start the service, which makes one"
    assert result.exit_code == 1


# ---- the recovery key -------------------------------------------------------------------------------------


async def test_a_recovery_key_brings_the_identity_back_when_the_database_is_lost(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    key = await made(service, crypto)
    identity, old = master(hs), devices(hs)
    seeds = kept(hs)[MASTER]
    assert key.replace(" ", "") not in str(kept(hs)) and set(seeds) == {"encrypted"}
    await lose(service)
    result = await crypto("recovery", "--restore", typed=key)
    assert result.exit_code == 0, result.output
    assert key not in result.output
    await service.start()
    assert master(hs) == identity
    assert not devices(hs) & old
    result = await crypto("status")
    assert result.exit_code == 0, result.output
    assert re.search(r"✓ recovery key: made \d{4}", result.output)


async def test_a_start_without_the_identity_leaves_it_to_be_restored(
    hs: FakeHomeserver, service: Service, crypto: Crypto, folder: Path
) -> None:
    key = await made(service, crypto)
    identity = master(hs)
    await lose(service)
    await service.start()
    assert master(hs) == identity
    said = lines(await crypto("status"))
    assert said["! recovery key"].startswith("! recovery key: the homeserver knows of one, this database does not.")
    assert said["✗ signature"] == (
        "✗ signature: the bot's identity is not in the database. To mend: stop the service, coterie"
        " crypto recovery --restore, start it; without that key: coterie crypto reset --identity"
    )
    await service.stop()
    (folder / "key.txt").write_text(f"{key}\n")
    assert (await crypto("recovery", "--restore", "--key-file", "key.txt")).exit_code == 0
    await service.start()
    assert master(hs) == identity
    assert (await crypto("status")).exit_code == 0


async def test_the_key_may_stand_in_the_environment(
    service: Service, crypto: Crypto, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await made(service, crypto)
    await service.stop()
    monkeypatch.setenv("COTERIE_RECOVERY_KEY", key.replace(" ", ""))
    result = await crypto("recovery", "--restore")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("typed", ["EsTE s92N EtaX s2h6 VQYF 9Kao tHYL mkyL GKMh isZb KJ4E tvoC", "0OIl", "a\u00e4 b"])
async def test_a_wrong_key_restores_nothing(service: Service, crypto: Crypto, typed: str) -> None:
    await made(service, crypto)
    await service.stop()
    before = await service.rows("SELECT * FROM setting ORDER BY name")
    result = await crypto("recovery", "--restore", typed=typed)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "this is not the bot's recovery key; an older one opens nothing any more\n"
    assert await service.rows("SELECT * FROM setting ORDER BY name") == before


async def test_what_was_changed_at_the_homeserver_restores_nothing(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    key = await made(service, crypto)
    await lose(service)
    sealed = kept(hs)[MASTER]["encrypted"][kept(hs)[DEFAULT_KEY]["key"]]
    sealed["ciphertext"] = ("A" if sealed["ciphertext"][0] != "A" else "B") + sealed["ciphertext"][1:]
    result = await crypto("recovery", "--restore", typed=key)
    assert result.exit_code == 1
    assert result.stderr == f"the key is right, but what the homeserver keeps as {MASTER} is not whole\n"
    async with service.store.look() as unit:
        assert not await unit.settings.get(settings.CROSS_SIGNING)


async def test_without_secret_storage_there_is_nothing_to_restore(service: Service, crypto: Crypto) -> None:
    await service.start()
    await service.stop()
    result = await crypto("recovery", "--restore", typed="EsTE s92N")
    assert (result.exit_code, result.stderr) == (1, "the homeserver keeps nothing that a recovery key could open\n")


async def test_nothing_typed_restores_nothing(service: Service, crypto: Crypto) -> None:
    result = await crypto("recovery", "--restore", typed="")
    assert (result.exit_code, "Give the recovery key" in result.stderr) == (2, True)


async def test_a_second_recovery_key_asks_first_and_ends_the_first(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    first = await made(service, crypto)
    before = kept(hs).copy()
    result = await crypto("recovery", typed="n\n")
    assert (result.exit_code, "Make another, so that it stops working?" in result.stdout) == (1, True)
    assert kept(hs) == before
    (second,) = KEY.findall((await crypto("recovery", typed="y\n")).stdout)
    await service.stop()
    assert (await crypto("recovery", "--restore", typed=first)).exit_code == 1
    assert (await crypto("recovery", "--restore", typed=second)).exit_code == 0


async def test_a_recovery_key_that_the_database_does_not_know_is_not_ended_without_a_word(
    service: Service, crypto: Crypto
) -> None:
    await service.start()
    await service.stop()
    before = await backup(Path(service.database.removeprefix("sqlite:")))
    await made(service, crypto)
    await lose(service, before)
    await service.start()
    result = await crypto("recovery", typed="n\n")
    assert (result.exit_code, "There is a recovery key. Make another" in result.stdout) == (1, True)
    assert not KEY.findall(result.stdout)


async def test_a_recovery_key_that_was_not_stored_whole_is_none(
    hs: FakeHomeserver, service: Service, crypto: Crypto, monkeypatch: pytest.MonkeyPatch
) -> None:
    from appservice.matrix.homeserver import Homeserver, HomeserverError

    await made(service, crypto)
    usual = Homeserver.set_account_data

    async def failing(self: Homeserver, type: str, content: Any) -> None:
        if type == "m.cross_signing.self_signing":
            raise HomeserverError(502, "M_UNKNOWN", "gone")
        await usual(self, type, content)

    monkeypatch.setattr(Homeserver, "set_account_data", failing)
    result = await crypto("recovery", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("no recovery key was made: HomeserverError: 502")
    assert "! recovery key" in lines(await crypto("status"))


async def test_before_the_first_run_there_is_nothing_to_recover(service: Service, crypto: Crypto) -> None:
    result = await crypto("recovery")
    assert result.stderr == (
        "the database has no identity of the bot: start the service once, or, if the database was lost,"
        " coterie crypto recovery --restore\n"
    )
    assert result.exit_code == 1


async def test_nobody_restores_or_resets_beside_a_running_service(service: Service, crypto: Crypto) -> None:
    key = await made(service, crypto)
    before = await service.rows("SELECT * FROM crypto_account")
    for words in (("recovery", "--restore"), ("reset", "--yes")):
        result = await crypto(*words, typed=key)
        assert result.exit_code == 1
        assert "another coterie runs on this database" in result.stderr
    assert await service.rows("SELECT * FROM crypto_account") == before


# ---- the first run ----------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits there; and the service itself does not run."""

    async def run(config: object) -> None:
        return

    monkeypatch.setattr("appservice.cli.crypto._is_terminal", lambda: True)
    monkeypatch.setattr(app, "run", run)


@pytest.mark.usefixtures("terminal")
async def test_the_first_run_in_a_terminal_shows_the_recovery_key_once(
    hs: FakeHomeserver, service: Service, crypto: Crypto, coterie: Coterie
) -> None:
    result = await asyncio.to_thread(coterie, "run")
    (key,) = KEY.findall(result.stdout)
    assert (await asyncio.to_thread(coterie, "run")).output == ""
    await service.start()
    assert (await crypto("status")).exit_code == 0
    identity = master(hs)
    await lose(service)
    result = await asyncio.to_thread(coterie, "run")
    assert KEY.findall(result.stdout) == []
    assert "coterie crypto recovery --restore" in result.stdout
    await crypto("recovery", "--restore", typed=key)
    await service.start()
    assert master(hs) == identity


@pytest.mark.usefixtures("terminal")
async def test_a_homeserver_that_is_down_keeps_no_service_from_starting(
    hs: FakeHomeserver, service: Service, coterie: Coterie
) -> None:
    hs.go_down()
    result = await asyncio.to_thread(coterie, "run")
    assert (result.exit_code, result.output) == (0, "")


async def test_the_log_asks_for_a_recovery_key_until_there_is_one(
    service: Service, crypto: Crypto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "coterie")
    line = "no recovery key was made yet: coterie crypto recovery"
    await service.start()
    assert line in caplog.messages
    (key,) = KEY.findall((await crypto("recovery")).stdout)
    caplog.clear()
    await service.restart()
    assert line not in caplog.messages
    assert key not in caplog.text


# ---- reset ------------------------------------------------------------------------------------------------


async def test_a_reset_gives_a_new_device_with_the_same_identity(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await made(service, crypto)
    identity, old = master(hs), devices(hs)
    await service.stop()
    result = await crypto("reset", typed="y\n")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "Forgotten. Next: coterie run")
    await service.start()
    assert master(hs) == identity
    assert not devices(hs) & old
    assert (await crypto("status")).exit_code == 0


async def test_a_reset_asks_first(service: Service, crypto: Crypto) -> None:
    await service.start()
    await service.stop()
    before = await service.rows("SELECT * FROM crypto_account")
    assert (await crypto("reset", typed="n\n")).exit_code == 1
    assert await service.rows("SELECT * FROM crypto_account") == before


async def test_a_reset_of_the_identity_makes_another_whose_recovery_key_is_yet_to_be_made(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await made(service, crypto)
    identity = master(hs)
    await service.stop()
    result = await crypto("reset", "--identity", "--yes")
    assert (result.exit_code, result.stdout) == (0, "Forgotten. Next: coterie run, then: coterie crypto recovery\n")
    await service.start()
    assert master(hs) != identity
    said = lines(await crypto("status"))
    assert "✓ signature" in said and "! recovery key" in said


async def test_an_identity_that_was_replaced_is_not_taken_back(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    key = await made(service, crypto)
    await service.stop()
    await crypto("reset", "--identity", "--yes")
    await service.start()
    identity = master(hs)
    await service.stop()
    result = await crypto("recovery", "--restore", typed=key)
    assert (result.exit_code, "the bot has another identity by now" in result.stderr) == (1, True)
    await service.start()
    assert master(hs) == identity
    assert "✓ signature" in lines(await crypto("status"))


async def test_a_database_from_before_a_new_identity_says_so(
    hs: FakeHomeserver, service: Service, crypto: Crypto
) -> None:
    await service.start()
    await service.stop()
    file = Path(service.database.removeprefix("sqlite:"))
    before = await backup(file)
    await crypto("reset", "--identity", "--yes")
    await service.start()
    identity = master(hs)
    await lose(service, before)
    await service.start()
    assert master(hs) == identity
    said = lines(await crypto("status"))
    begin = "✗ signature: the homeserver has another identity of the bot than the database. To mend: stop the service"
    assert said["✗ signature"].startswith(begin)
    await service.stop()
    await crypto("reset", "--identity", "--yes")  # what it says
    await service.start()
    assert "✓ signature" in lines(await crypto("status"))


# ---- another as_token -------------------------------------------------------------------------------------

OTHER = "other-token".ljust(40, "-")


async def changed(hs: FakeHomeserver, service: Service, folder: Path) -> None:
    """Give the stopped service another as_token, which the homeserver knows."""
    await service.stop()
    hs.as_token = OTHER
    service.config = replace(service.config, appservice=replace(service.config.appservice, as_token=OTHER))
    write(folder, service, as_token=OTHER)


async def test_a_service_whose_keys_were_written_under_another_token_ends_with_the_reason(
    hs: FakeHomeserver, service: Service, crypto: Crypto, folder: Path
) -> None:
    await service.start()
    await changed(hs, service, folder)
    argv = [sys.executable, "-m", "appservice", "run"]
    process = await asyncio.create_subprocess_exec(*argv, cwd=folder, env=ENVIRONMENT, stderr=PIPE)
    async with asyncio.timeout(30):
        _, logged = await process.communicate()
    assert logged.decode().splitlines()[-1] == (
        "cannot run: KeysUnreadable: the keys in the database were written under another as_token: put that back, or"
        " run `coterie crypto reset`; see coterie check"
    )
    assert process.returncode == 1
    said = lines(await crypto("status"))
    assert said["✗ device"].endswith("To mend: put that back, or run `coterie crypto reset`")


async def test_after_a_reset_and_the_recovery_key_another_token_works_with_the_same_identity(
    hs: FakeHomeserver, service: Service, crypto: Crypto, folder: Path
) -> None:
    key = await made(service, crypto)
    identity = master(hs)
    await changed(hs, service, folder)
    result = await crypto("reset", "--yes")
    assert result.exit_code == 0
    assert "Next: coterie crypto recovery --restore, or" in result.stdout
    assert (await crypto("recovery", "--restore", typed=key)).exit_code == 0
    await service.start()
    assert master(hs) == identity
    assert (await crypto("status")).exit_code == 0


async def test_without_the_recovery_key_another_token_needs_another_identity(
    hs: FakeHomeserver, service: Service, crypto: Crypto, folder: Path
) -> None:
    await service.start()
    identity = master(hs)
    await changed(hs, service, folder)
    assert (await crypto("reset", "--identity", "--yes")).exit_code == 0
    await service.start()
    assert master(hs) != identity
    assert "✓ signature" in lines(await crypto("status"))
