"""Tables that people take elsewhere: as CSV for spreadsheets, as JSON for programs."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from appservice.domain.money import to_decimal

SUM = "(sum)"
"""Begins the last line, which adds the others up; no alias may have parentheses."""
_CELL_ENDS = re.compile(r"([;\t\r\n])")
_FORMULA_SIGNS = frozenset("=+-@−")
# Take no room on the screen, though they are letters and symbols by their category.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


class Cell(Enum):
    """What stands in a column: text, a number of things, or an amount in minor units."""

    TEXT = auto()
    COUNT = auto()
    AMOUNT = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `adds` where its sum means something."""

    name: str
    cell: Cell = Cell.TEXT
    adds: bool = True


Row = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells in the order of `columns`, with a line of sums. `about` says in JSON what the table is of."""

    about: Mapping[str, str | int]
    currency: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sums: Row


def sums(columns: Sequence[Column], rows: Sequence[Row]) -> Row:
    """Give the line that adds rows up."""
    added = [_sum(row[place] for row in rows) if _adds(column) else None for place, column in enumerate(columns)]
    return (SUM, *added[1:])


def _adds(column: Column) -> bool:
    return column.adds and column.cell is not Cell.TEXT


def _sum(cells: Iterable[str | int | None]) -> int:
    return sum(cell for cell in cells if isinstance(cell, int))


def to_csv(table: Table) -> bytes:
    """Give a table as CSV by RFC 4180, in UTF-8 with a mark that Excel needs to see that; the sums come last.

    Amounts are plain decimals as `79.00`, of the currency in the last column. No text can become a formula.
    """
    has_amounts = any(column.cell is Cell.AMOUNT for column in table.columns)
    more = [table.currency] if has_amounts else []
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*(safe(column.name) for column in table.columns), *(["currency"] if has_amounts else [])])
    for row in (*table.rows, table.sums):
        cells = zip(table.columns, row, strict=True)
        writer.writerow([*(_written(column, cell, table.currency) for column, cell in cells), *more])
    return out.getvalue().encode("utf-8-sig")


def _written(column: Column, cell: str | int | None, currency: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return safe(cell)
    return _decimal(cell, currency) if column.cell is Cell.AMOUNT else str(cell)


def _decimal(minor: int, currency: str) -> str:
    return f"{to_decimal(minor, currency):f}"


def safe(text: str) -> str:
    """Give a text that no spreadsheet takes for a formula: a `'` stands before what would be one.

    Where lists are separated by semicolons, a spreadsheet may begin a cell within a text; so each part is looked at.
    """
    parts = _CELL_ENDS.split(text)
    begins_with_space = not _visible(parts[0]) and parts[1:2] in (["\t"], ["\r"], ["\n"])
    return ("'" if begins_with_space else "") + "".join(f"'{part}" if _is_formula(part) else part for part in parts)


def _is_formula(part: str) -> bool:
    # The wide form of a sign is made narrow by some spreadsheets.
    return unicodedata.normalize("NFKC", _visible(part)[:1])[:1] in _FORMULA_SIGNS


def _visible(text: str) -> str:
    """Give a text from its first character on that can be seen."""
    for place, char in enumerate(text):
        if unicodedata.category(char)[0] not in "CMZ" and char not in _BLANK:
            return text[place:]
    return ""


def to_json(table: Table) -> bytes:
    """Give a table as JSON: what it is of, its rows and their sum as objects. An amount `total` stands there twice:
    as the text `79.00`, and as `total_minor`, an integer."""
    content = {
        **table.about,
        "rows": [_object(table, row) for row in table.rows],
        "sum": {name: cell for name, cell in _object(table, table.sums).items() if cell not in (None, SUM)},
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _object(table: Table, row: Row) -> dict[str, str | int | None]:
    found: dict[str, str | int | None] = {}
    for column, cell in zip(table.columns, row, strict=True):
        if column.cell is Cell.AMOUNT:
            found[column.name] = _decimal(cell, table.currency) if isinstance(cell, int) else None
            found[f"{column.name}_minor"] = cell
        else:
            found[column.name] = cell
    return found
