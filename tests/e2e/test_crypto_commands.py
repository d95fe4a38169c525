"""The operator's side of encryption against a real Synapse: the bot's identity outlives its database."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.harness.service import Service, ServiceFactory


async def _keys(service: Service) -> tuple[str, set[str]]:
    """What the homeserver tells of the bot: its identity, and its devices."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {service.as_token}"}) as session:
        url = f"{service.homeserver.url}/_matrix/client/v3/keys/query"
        body = {"device_keys": {service.bot_id: []}}
        async with session.post(url, json=body, params={"user_id": service.bot_id}) as answer:
            found: dict[str, Any] = await answer.json()
    (master,) = found["master_keys"][service.bot_id]["keys"].values()
    return master, set(found["device_keys"][service.bot_id])


async def _working(service: Service, start: int) -> None:
    """Return when the service has prepared its keys in this start of it, counted from 1."""
    async with asyncio.timeout(30):
        while service.process.log.read_text().count("working as @") < start:  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(0.05)


async def _lose(service: Service, database: str) -> None:
    await service.stop()
    if database.startswith("sqlite:"):
        for file in service.directory.glob("coterie.db*"):
            file.unlink()
        return
    connection = await asyncpg.connect(database)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()


@pytest.mark.slow
async def test_a_recovery_key_keeps_the_identity_when_the_database_is_lost(
    database: str, coterie: ServiceFactory
) -> None:
    service = await coterie(appservice={"database": database})
    await _working(service, 1)
    code, output = await service.cli("crypto", "status")
    assert (code, "! recovery key: none was made" in output) == (0, True), output
    code, output = await service.cli("crypto", "recovery")
    (key,) = re.findall(r"^  ((?:\w{4} )+\w{1,4})$", output, re.MULTILINE)
    assert code == 0
    identity, devices = await _keys(service)
    code, output = await service.cli("crypto", "status")
    assert (code, output.splitlines()[-1], "✓ recovery key: made " in output) == (0, "All is well.", True), output
    for words in (("recovery", "--restore"), ("reset", "--yes")):
        (service.directory / "key").write_text(key)
        code, output = await service.cli("crypto", *words, *(("--key-file", "key") if "--restore" in words else ()))
        assert (code, "another coterie runs on this database" in output) == (1, True), output

    await _lose(service, database)
    code, output = await service.cli("crypto", "recovery", "--restore", "--key-file", "key")
    assert code == 0, output
    await service.start()
    await _working(service, 2)
    again, others = await _keys(service)
    assert (again, others & devices, len(others)) == (identity, set(), 1)
    code, output = await service.cli("crypto", "status")
    assert (code, output.splitlines()[-1]) == (0, "All is well."), output

    await service.stop()
    code, output = await service.cli("crypto", "reset", "--identity", "--yes")
    assert code == 0, output
    await service.start()
    await _working(service, 3)
    assert (await _keys(service))[0] != identity
    code, output = await service.cli("crypto", "status")
    assert (code, "✓ signature" in output) == (0, True), output
    assert key not in service.process.log.read_text()
    assert service.errors() == []
