"""The harness itself: real servers come up, talk, restart and federate as the other tests rely on."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
from mautrix.util.async_db import Database

from tests.harness.person import MatrixError, PersonFactory
from tests.harness.postgres import Postgres
from tests.harness.service import Service
from tests.harness.synapse import Synapse

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_two_people_talk_in_a_room_of_version_12(person: PersonFactory) -> None:
    ana, bo = await person("ana"), await person("bo")
    room = await ana.create_room(preset="private_chat", name="Throws", invite=[bo.user_id])
    assert ":" not in room  # version 12: ids without a domain
    assert (await bo.invited_to(lambda invite: invite.name == "Throws")).room_id == room
    await bo.join(room)

    question = await ana.say(room, "Shall we?")
    assert (await bo.sees(room, "Shall"))["event_id"] == question
    answer = await bo.say(room, "No", reply_to=question)
    await bo.react(room, question, "+1")
    await bo.edit(room, answer, "Yes")
    await ana.sees_that(lambda: ana.last_edit_of(room, answer))
    assert ana.last_edit_of(room, answer) == {"msgtype": "m.text", "body": "Yes"}
    assert ana.reactions(room, question) == {"+1": {bo.user_id}}

    reaction = await ana.sees(room, lambda event: event["type"] == "m.reaction")
    await bo.redact(room, reaction["event_id"])
    await ana.sees_that(lambda: not ana.reactions(room, question))
    image = await ana.send_image(room, _PIXEL)
    picture = await bo.sees(room, lambda event: event["content"]["msgtype"] == "m.image", after=question)
    assert (picture["event_id"], picture["content"]["info"]["w"]) == (image, 1)
    assert [e["event_id"] for e in await bo.messages(room)][-1] == image


async def test_a_member_who_is_kicked_sees_it_and_may_not_speak(person: PersonFactory) -> None:
    ana, bo = await person("ana"), await person("bo")
    room = await ana.create_direct(bo.user_id, joined_within=None)
    assert (await bo.invited_to()).is_direct
    await bo.join(room)
    assert await ana.joined_members(room) == {ana.user_id, bo.user_id}
    await ana.put_state(room, "m.room.topic", {"topic": "Wool"})
    assert await bo.state(room, "m.room.topic") == {"topic": "Wool"}
    assert await bo.state(room, "m.room.name") is None

    carl = await person("carl", auto_join_from={ana.user_id})
    await ana.invite(room, carl.user_id)
    await ana.sees_join(room, carl.user_id)
    await ana.kick(room, carl.user_id, "seat given back")
    await carl.sees(room, lambda event: event["content"]["reason"] == "seat given back")
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await carl.say(room, "but")


async def test_a_wait_that_fails_quotes_what_was_seen_instead(person: PersonFactory) -> None:
    ana = await person("ana")
    room = await ana.create_room()
    await ana.say(room, "Merino throw")
    await ana.sees(room, "Merino")
    with pytest.raises(AssertionError, match=r"0\.1 s: no such event(.|\n)*m\.room\.message: 'Merino throw'"):
        await ana.sees(room, "Linen", timeout=0.1)


async def test_restart_and_kill_keep_data_and_clients_come_back(synapse: Synapse, person: PersonFactory) -> None:
    ana, bo = await person("ana"), await person("bo")
    room = await ana.create_direct(bo.user_id, joined_within=None)
    await bo.join(room)
    before = await ana.say(room, "before")
    await synapse.kill()
    assert not synapse.process.running
    await synapse.start()
    after = await bo.say(room, "after")
    assert (await ana.sees(room, "after"))["event_id"] == after
    assert {before, after} <= {event["event_id"] for event in await ana.messages(room)}


async def test_two_homeservers_federate(federated: tuple[Synapse, Synapse], person: PersonFactory) -> None:
    ana = await person("ana")
    remote = await person("remi", on=federated[1], auto_join_from={ana.user_id})
    assert ana.user_id.split(":", 1)[1] != remote.user_id.split(":", 1)[1]
    room = await ana.create_room(preset="private_chat", invite=[remote.user_id])
    await remote.sees_join(room, remote.user_id)  # her own homeserver: it is the later one to know
    await remote.say(room, "+2")
    assert (await ana.sees(room, "+2"))["sender"] == remote.user_id


async def test_asyncpg_and_mautrix_both_reach_a_fresh_database(postgres: Postgres) -> None:
    async with postgres.fresh_database() as url:
        connection = await asyncpg.connect(url)
        name = await connection.fetchval("SELECT current_database()")
        await connection.close()
        database = Database.create(url)
        await database.start()
        assert await database.fetchval("SELECT current_database()") == name
        await database.stop()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)


def test_servers_end_with_the_program_that_started_them(tmp_path: Path) -> None:
    program = """
import sys, pathlib
from tests.harness.postgres import Postgres
from tests.harness.process import Process
here = pathlib.Path(sys.argv[1])
child = Process("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], log=here / "log", cwd=here)
child.spawn()
with Postgres() as server:
    print(child.pid, server._keeper.pid if server._keeper else child.pid, flush=True)
    import time; time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert all(map(_runs, pids))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    homeserver = Synapse(tmp_path, config={"database": {"name": "abacus"}})
    with pytest.raises(AssertionError, match=r"ended with exit code 1(.|\n)*abacus"):
        await homeserver.start()


def test_the_service_is_registered_for_its_bot_and_members_stand_ins_only(tmp_path: Path) -> None:
    homeserver = Synapse(tmp_path)
    registration = Service(tmp_path / "service", homeserver, bot="coterie").registration()
    assert registration["sender_localpart"] != "coterie"
    assert [one["regex"] for one in registration["namespaces"]["users"]] == [
        r"@coterie:coterie\.test$",
        r"@coterie_.*:coterie\.test$",
    ]
