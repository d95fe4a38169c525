"""`python -m tests.demo`: what `make demo` runs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from tests.harness.ports import reserve_port

_REPOSITORY = Path(__file__).resolve().parents[2]
Demo = Callable[..., Awaitable[Process]]


@pytest_asyncio.fixture
async def demo() -> AsyncIterator[Demo]:
    """`await demo("--once", port=28008)`: the demo as a process; `demo.port` is free otherwise."""
    started: list[tuple[Process, int]] = []

    async def start(*words: str, port: int) -> Process:
        env = {**os.environ, "COTERIE_DEMO_PORT": str(port), "ONCE": "", "COLUMNS": "80"}
        argv, pipes = [sys.executable, "-m", "tests.demo", *words], {"stdin": PIPE, "stdout": PIPE, "stderr": STDOUT}
        process = await asyncio.create_subprocess_exec(*argv, cwd=_REPOSITORY, env=env, **pipes)
        started.append((process, port))
        return process

    yield start
    for process, port in started:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shutil.rmtree(_REPOSITORY / ".demo" / f"port-{port}", ignore_errors=True)


def _free() -> int:
    """A port that only the demo may claim; outgoing connections take none below 32768."""
    return 32_000 + os.getpid() % 380 * 2


@pytest.mark.slow
async def test_played_once_it_prints_a_transcript_and_exits_with_0(demo: Demo) -> None:
    process = await demo("--once", port=_free())
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    transcript = output.decode()
    assert process.returncode == 0, transcript
    assert max(map(len, transcript.splitlines())) <= 100
    assert not re.search(r"[$!][A-Za-z0-9_-]{20,}", transcript), "raw ids"
    for scene in range(1, 6):
        assert f"── {scene}. " in transcript
    assert transcript.count("Welcome to “Wool circle”. I call you ") == 1, "one of ten is shown"
    for line in (
        "All rooms are end-to-end encrypted",
        "⚙ Coterie → Ana   In “Wool circle” I call you Heron from now on.",
        "Heron is Ana, ",
        "│ €79.00 each once 6 are pledged",
        "│ 16 pledged; the best price is reached",
        "│ Closed at €69.00 each",
        "⚙ Coterie → Emil   I need a whole number of units",
        "│ Receipt: Merino throw",
        "⚙ Coterie → Jonas   2 × €69.00 = €138.00",
        "Coterie posted                                 6 ",
    ):
        assert line in transcript


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_stays_up_until_it_is_told_to_stop(demo: Demo, number: signal.Signals) -> None:
    process = await demo(port=_free())
    assert process.stdin
    transcript = await _printed(process, "as ben   write at the desk")
    if number is signal.SIGINT:  # somebody has logged in; the other time nobody has
        process.stdin.write(b"\n")
        await _printed(process, "Ben has opened a group buy of a linen towel.")
    assert f"http://127.0.0.1:{_free()}" in transcript
    servers = psutil.Process(process.pid).children(recursive=True)
    assert len(servers) >= 2
    process.send_signal(number)
    output, _ = await asyncio.wait_for(process.communicate(), 15)
    assert (process.returncode, output.decode().splitlines()[-1]) == (0, "Stopping.")
    assert not any(server.is_running() for server in servers)


async def _printed(process: Process, text: str) -> str:
    """What was printed up to a line with this text."""
    assert process.stdout
    transcript = ""
    while text not in transcript:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line, transcript
        transcript += line.decode()
    return transcript


async def test_ctrl_c_during_the_start_leaves_nothing_behind(demo: Demo) -> None:
    process = await demo("--once", port=_free())
    assert process.stdout
    while b"homeserver" not in await asyncio.wait_for(process.stdout.readuntil(b" "), 30):
        pass
    process.send_signal(signal.SIGINT)
    output, _ = await asyncio.wait_for(process.communicate(), 15)
    assert (process.returncode, output.decode().splitlines()[-1]) == (130, "Stopped before the end.")


async def test_a_busy_port_is_refused_politely(demo: Demo) -> None:
    port = reserve_port()
    process = await demo("--once", port=port)
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert output.decode() == (
        f"Port {port} of this machine is in use, perhaps by another demo. "
        f"End that, or choose another port: make demo COTERIE_DEMO_PORT={port + 100}\n"
    )
