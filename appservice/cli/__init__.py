"""The command line, `coterie`: reads options, calls the rooms below, prints. May import every other room.

What is only needed by one command is imported inside it, so that `coterie --help` is quick.
"""

from appservice.cli.root import main

__all__ = ["main"]
