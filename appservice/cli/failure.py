"""How a command ends when it cannot do its work: one line on standard error, exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from appservice.config import Config

# Whose exceptions say what is wrong around the service; any other is a fault of ours and keeps its traceback.
PACKAGES = ("aiohttp", "aiosqlite", "appservice", "asyncpg", "mautrix", "sqlite3")


class Failed(click.ClickException):
    """Ends the command with this one line and exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line as it is, without click's "Error: "."""
        click.echo(self.format_message(), file=file, err=file is None)


def plain(text: str) -> str:
    """A text for a terminal: whatever could steer it, or break the line, is escaped."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


@contextmanager
def in_one_line(config: Config, subject: str) -> Iterator[None]:
    """Turns what goes wrong with database, homeserver or network into a Failed that quotes no secret."""
    try:
        yield
    except Failed:
        raise
    except Exception as error:
        foreign = type(error).__module__.partition(".")[0] in PACKAGES
        if not foreign and not isinstance(error, OSError):
            raise
        words = " ".join(config.without_secrets(str(error)).split())
        if foreign:
            words = f"{type(error).__name__}: {words}"
        raise Failed(f"{subject}: {plain(words)}; see coterie check") from None
