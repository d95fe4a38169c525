"""How the tests are spread over processes: `make test` runs several of them beside each other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from zlib import crc32

import pytest

_ENGINES = {"sqlite": "postgres", "postgres": "sqlite"}
"""Each engine's other one."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process runs all journeys, which share their homeservers and whose events are judged together at the end;
    the others take one test after another. (Marks cannot say so: xdist_group does nothing with this pytest.)"""
    from xdist.scheduler import LoadScopeScheduling

    class Spread(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/e2e" if nodeid.startswith("tests/e2e/") else nodeid

    return Spread(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports go from process to process as UTF-8, which what hostile servers say and tests log need not be."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    if isinstance(report.longrepr, str):
        report.longrepr = report.longrepr.encode("utf-8", "replace").decode()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each flow and journey on one of the two engines, half of them on each; on the other one it counts as slow.
    What depends on the engine is in tests/store, on both."""
    ids = {item.nodeid for item in items}
    for item in items:
        callspec = getattr(item, "callspec", None)
        params = callspec.params if callspec is not None and item.path.parent.name in ("flows", "e2e") else {}
        engine = params.get("engine", params.get("database"))
        if engine not in _ENGINES:
            continue
        twin = item.nodeid.replace(engine, _ENGINES[engine])
        chosen = sorted(_ENGINES)[crc32(min(item.nodeid, twin).encode()) % 2]
        if twin in ids and engine != chosen:
            item.add_marker(pytest.mark.slow)
