"""TCP ports that stay ours for the life of this process, also while nobody listens on them."""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

# Below every usual ephemeral range: no outgoing connection can take one while a server restarts.
_RANGE = range(20_000, 32_000)
_held: list[IO[bytes]] = []


def reserve_port() -> int:
    """A free port of 127.0.0.1 that no other process using this function is given before we end."""
    for port in random.sample(_RANGE, k=500):
        if claim_port(port):
            return port
    raise RuntimeError(f"no free port in {_RANGE.start} to {_RANGE.stop}")


def claim_port(port: int) -> bool:
    """Whether this port of 127.0.0.1 is free and now ours."""
    folder = Path(tempfile.gettempdir()) / "coterie-test-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    return _lock(folder / str(port)) and _is_free(port)


def _lock(file: Path) -> bool:
    """True if the lock is now ours; the kernel drops it when the process ends, however it ends."""
    try:
        handle = file.open("ab")
    except PermissionError:  # another user's run holds it
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return False
    _held.append(handle)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
