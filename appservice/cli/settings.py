"""What the options before the command say."""

import os
from dataclasses import dataclass
from pathlib import Path

import click

from appservice.cli.failure import Failed
from appservice.config import Config, ConfigError, load


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the configuration is; it is read when a command asks for it."""

    path: Path

    def config(self) -> Config:
        """The configuration; ends the command if it cannot be used."""
        try:
            return load(self.path, os.environ)
        except ConfigError as error:
            raise Failed(str(error)) from None


pass_settings = click.make_pass_decorator(Settings)
