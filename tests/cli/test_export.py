"""`coterie export`: files of a buy that has cleared, also while the service works; nothing else is touched."""

import asyncio
import csv
import io
import json
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appservice.domain import fulfilment
from appservice.domain.fulfilment import Fulfilment, Pay
from appservice.domain.group_buy import GroupBuy, Settle, Status, Succeeded, decide, evolve
from appservice.domain.ids import BuyId, OrderId
from appservice.store import db
from appservice.store.unit import Store
from tests.cli.conftest import Coterie
from tests.store.given import BUY, DEADLINE, buy_exists, pledged

KINDS = ["supplier", "by-member", "by-item", "matrix", "packing", "unpaid", "refunds"]
NAMES = [f"raucherwerk-sohne-merino-throw-b1-{kind}" for kind in KINDS]
OPEN = replace(BUY, id=BuyId("b2"))


def in_database(folder: Path, work: Callable[[Store], Awaitable[Any]]) -> Any:
    """What `work` gives on the database of the folder."""

    async def opened() -> Any:
        async with db.opened(f"sqlite:{folder / 'coterie.db'}") as database:
            return await work(Store(database, lambda: DEADLINE))

    return asyncio.run(opened())


async def _cleared(store: Store) -> None:
    """Member 1 has an order of 20 units at 79.00, member 2 one of 4, at b1; b2 is open."""
    buy = replace(BUY, pledged=(pledged("$1", 1, 20, 1), pledged("$2", 2, 4, 2)))
    await buy_exists(store, buy, members=2)
    ids = ["order1", "l1", "order2", "l2"]
    facts = decide(replace(buy, status=Status.CLOSING), Settle(ids, DEADLINE + 1))
    assert isinstance(facts, list)
    after: GroupBuy = buy
    async with store.unit() as unit:
        for fact in facts:
            after = evolve(after, fact)
            if isinstance(fact, Succeeded):
                await unit.orders.save(None, fulfilment.begin(after, fact), unit.now)
        await unit.buys.save(buy, after)
        await unit.buys.add(OPEN)


@pytest.fixture
def ready(made: Coterie, folder: Path) -> Coterie:
    """The command, in a folder with a configuration and a database in which b1 has cleared."""
    in_database(folder, _cleared)
    return made


def found(folder: Path, pattern: str = "*b1*") -> list[str]:
    return sorted(file.name for file in folder.glob(pattern))


def test_all_tables_are_written_where_they_are_wanted(ready: Coterie, folder: Path) -> None:
    (folder / "out").mkdir()
    result = ready("export", "b1", "--output", "out")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"out/{name}.csv" for name in NAMES]
    assert found(folder / "out", "*") == sorted(f"{name}.csv" for name in NAMES)
    file = folder / "out" / f"{NAMES[1]}.csv"
    rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))
    assert [row[:4] for row in rows[1:]] == [
        ["Member 1", "order1", "owed", "20"], ["Member 2", "order2", "owed", "4"], ["(house)", "", "", "0"],
        ["(sum)", "", "", "24"],
    ]  # fmt: skip
    assert rows[-1][rows[0].index("charged")] == "1896.00"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_one_table_as_json_into_the_current_folder(ready: Coterie, folder: Path) -> None:
    result = ready("export", "b1", "--kind", "matrix", "--kind", "unpaid", "--kind", "matrix", "--format", "json")
    assert result.stdout.splitlines() == [f"{NAMES[3]}.json", f"{NAMES[5]}.json"]
    file = json.loads((folder / f"{NAMES[5]}.json").read_text(encoding="utf-8"))
    assert (file["table"], file["buy"], file["sum"]["due_minor"]) == ("unpaid", "b1", 189_600)


def test_a_file_that_is_there_is_left_alone_unless_forced(ready: Coterie, folder: Path) -> None:
    mine = folder / f"{NAMES[3]}.csv"
    mine.write_text("mine")
    result = ready("export", "b1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"there already: {mine.name}; name another folder with --output, or overwrite with --force\n"
    )
    assert found(folder) == [mine.name] and mine.read_text() == "mine"
    assert ready("export", "b1", "--force").exit_code == 0
    assert mine.read_text(encoding="utf-8-sig").startswith("alias,units,sum\n")
    assert found(folder) == sorted(f"{name}.csv" for name in NAMES)


def test_it_works_while_the_service_writes_and_changes_nothing(ready: Coterie, folder: Path) -> None:
    async def export_meanwhile(store: Store) -> None:
        async with store.unit() as unit:
            before = await unit.orders.get(await unit.buys.lock("b1"))
            assert before is not None
            await unit.orders.save(before, evolve_all(before, Pay(OrderId("order1"), 158_000, "EUR", "r1")), unit.now)
            result = await asyncio.to_thread(ready, "export", "b1", "--kind", "unpaid")
        assert (result.exit_code, result.stderr) == (0, "")

    async def both(store: Store) -> tuple[list[Any], list[Any]]:
        before = await _rows(store)
        await asyncio.to_thread(ready, "export", "b1", "--kind", "unpaid", "--force")
        return before, await _rows(store)

    in_database(folder, export_meanwhile)
    file = folder / f"{NAMES[5]}.csv"
    assert "order1" in file.read_text(encoding="utf-8-sig"), "what is not committed has not happened"
    before, after = in_database(folder, both)
    assert after == before
    assert "order1" not in file.read_text(encoding="utf-8-sig")


def evolve_all(state: Fulfilment, request: Pay) -> Fulfilment:
    facts = fulfilment.decide(state, request)
    assert isinstance(facts, list)
    for fact in facts:
        state = fulfilment.evolve(state, fact)
    return state


async def _rows(store: Store) -> list[tuple[Any, ...]]:
    """All that is kept of buys and orders."""
    async with store._database.reading() as connection:
        tables = ("group_buy", "purchase_order", "payment", "unplaced", "effect", "arrival", "ledger", "coterie_group")
        return [tuple(row) for table in tables for row in await connection.fetch(f"SELECT * FROM {table}")]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nonsuch",), "there is no group buy nonsuch; its id stands on its card\n"),
        (("b\x1b[2J",), "there is no group buy b\\x1b[2J; its id stands on its card\n"),
        (("b2",), "This group buy is still open: it has no orders to export.\n"),
    ],
)
def test_what_cannot_be_exported_ends_with_one_line(
    ready: Coterie, folder: Path, words: tuple[str, ...], why: str
) -> None:
    result = ready("export", *words)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", why)
    assert found(folder, "*.csv") == []


def test_a_database_of_another_version_is_not_touched(made: Coterie, folder: Path) -> None:
    result = made("export", "b1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "schema is 0, must be" in result.stderr and result.stderr.endswith("; run coterie migrate first\n")
    assert found(folder, "coterie.db*") == []


@pytest.mark.parametrize(
    "words", [("b1", "--kind", "nonsuch"), ("b1", "--format", "xlsx"), ("b1", "--output", "nowhere"), ()]
)
def test_a_mistyped_option_is_named(ready: Coterie, folder: Path, words: tuple[str, ...]) -> None:
    result = ready("export", *words)
    assert result.exit_code == 2 and "Error: " in result.stderr
    assert found(folder) == []


def test_a_folder_that_cannot_be_written_to_ends_with_one_line(
    ready: Coterie, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("appservice.cli.export._write", full)
    result = ready("export", "b1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No space left on device" in result.stderr
