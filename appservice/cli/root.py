"""The command `coterie` itself: its options and its list of commands."""

import io
import sys
from pathlib import Path

import click

from appservice import __version__
from appservice.cli.crypto import crypto
from appservice.cli.export import export
from appservice.cli.parked import parked
from appservice.cli.service import check, migrate, run
from appservice.cli.settings import Settings
from appservice.cli.setup import init, registration


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: coterie init",
)
@click.option(
    "-c",
    "--config",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default="config.yaml",
    envvar="COTERIE_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration.",
)
@click.version_option(__version__, prog_name="coterie", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    """Coterie runs small private groups on a Matrix homeserver: people ask, look and buy together."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    context.obj = Settings(path)


for command in (init, registration, check, migrate, run, crypto, export, parked):
    main.add_command(command)
