"""The Matrix specification's schemas, where they are at hand: not part of this repository."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path
from typing import Any

MISSING = "the Matrix spec is not at hand: set COTERIE_SHARED to the folder that holds spec/matrix_spec.py"


@functools.cache
def load_spec() -> Any | None:
    """A `MatrixSpec` of the folder `spec` in COTERIE_SHARED or `../shared`; None when absent.

    Tests that get None skip with `MISSING`.
    """
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("COTERIE_SHARED") or beside) / "spec"
    source = folder / "matrix_spec.py"
    if not source.is_file():
        return None
    module_spec = importlib.util.spec_from_file_location("matrix_spec", source)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module.MatrixSpec(folder)
