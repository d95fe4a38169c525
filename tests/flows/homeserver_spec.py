"""Checks what the service sends against the Matrix spec's schemas, where a copy of them is at hand.

The folder is named by the environment variable COTERIE_SHARED, or is `shared` beside the repository; it holds
`spec/matrix_spec.py` and the schemas. Without it there is no check.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.flows.homeserver_events import Json

Validate = Callable[[Json], object]


def spec_folder() -> Path | None:
    """The folder with `matrix_spec.py`, if it is there."""
    named = os.environ.get("COTERIE_SHARED")
    shared = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    folder = shared / "spec"
    return folder if (folder / "matrix_spec.py").is_file() else None


@functools.cache
def load_validator() -> Validate | None:
    """A function that raises on an event which breaks the spec; None if the schemas are not at hand."""
    folder = spec_folder()
    if folder is None:
        return None
    found = importlib.util.spec_from_file_location("coterie_matrix_spec", folder / "matrix_spec.py")
    if found is None or found.loader is None:
        return None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    validate: Validate = module.MatrixSpec(folder).validate_event
    return validate


def violations(validate: Validate, event: Json) -> list[str]:
    """What is wrong with an event in client format; the new content of an edit is checked as well.

    State whose content is empty has been withdrawn, as nothing else can be: that is right whatever the schema wants.
    """
    if "state_key" in event and not event["content"]:
        return []
    versions = [event]
    inner = event["content"].get("m.new_content")
    if isinstance(inner, dict):
        versions.append({**event, "content": inner})
    found = []
    for version in versions:
        try:
            validate(version)
        except Exception as error:
            found.append(f"{event['type']} {event['event_id']} by {event['sender']}: {error}")
    return found
