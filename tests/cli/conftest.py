"""A folder to work in, and the command as somebody types it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appservice.cli import main

Coterie = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in (
        "COTERIE_CONFIG",
        "COTERIE_AS_TOKEN",
        "COTERIE_HS_TOKEN",
        "COTERIE_ANTISPAM_TOKEN",
        "COTERIE_DATABASE",
        "COTERIE_RECOVERY_KEY",
        "COTERIE_STRIPE_API_KEY",
        "COTERIE_STRIPE_WEBHOOK_SECRET",
    ):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def coterie(folder: Path) -> Coterie:
    """`coterie("init", "--domain", "x")` in the folder; a traceback fails the test."""

    def call(*words: str, typed: str | None = None) -> Result:
        result = CliRunner().invoke(main, words, input=typed, prog_name="coterie")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def made(coterie: Coterie) -> Coterie:
    """The command in a folder where init has been run."""
    result = coterie(*INIT)
    assert result.exit_code == 0, result.output
    return coterie


INIT = (
    "init",
    "--homeserver",
    "http://127.0.0.1:9",
    "--domain",
    "example.org",
    "--owner",
    "@ana:example.org",
)
