"""The configuration: a YAML file, and secrets from the environment or from files, as one frozen value.

`section` says which keys there are, `rule` which values they may have, `file` reads them. To add a key, add a
field in `section` and a line in config/example.yaml. Imports nothing else of the package.
"""

from appservice.config.file import ConfigError, files_open_to_all, load, parse
from appservice.config.section import Appservice, Config, Groups, Homeserver, Logging, Purchase, Stripe, Web

__all__ = [
    "Appservice",
    "Config",
    "ConfigError",
    "Groups",
    "Homeserver",
    "Logging",
    "Purchase",
    "Stripe",
    "Web",
    "files_open_to_all",
    "load",
    "parse",
]
