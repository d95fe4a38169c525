"""What a concierge takes out of a cleared group buy: tables of orders, units and money, in which all members stand
under their alias. Their sums are those of the ledger."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from appservice.domain.account import Statement, refunds_due, statements, supplier_invoice
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group import Group
from appservice.domain.money import exponent
from appservice.domain.order import Order, Units, count
from appservice.domain.pledger import Pledger
from appservice.domain.product import Product
from appservice.domain.text import fold
from appservice.present.table import SUM, Cell, Column, Row, Table, sums

HOUSE = "(house)"
"""Stands where an alias does; no alias may have parentheses."""
TAX = "(tax on top)"
EMPTY_BOX = "☐"
_LONGEST_SLUG = 40


class Kind(StrEnum):
    """Which table."""

    SUPPLIER = "supplier"
    BY_MEMBER = "by-member"
    BY_ITEM = "by-item"
    MATRIX = "matrix"
    PACKING = "packing"
    UNPAID = "unpaid"
    REFUNDS = "refunds"


@dataclass(frozen=True, slots=True)
class Export:
    """A cleared buy with what tables about it need: the owning group, the product, the name of each member who ever
    had an order, and when the tables are made (ms)."""

    group: Group
    product: Product
    state: Fulfilment
    names: Mapping[Pledger, str]
    made_at: int

    @property
    def has_variants(self) -> bool:
        return bool(self.state.terms.variants)

    def variants(self) -> tuple[str, ...]:
        """The variants in the order of the offer; one without a name where there are none."""
        return self.state.terms.variants or ("",)

    def lines(self) -> Iterator[tuple[str, Order | None, Units]]:
        """Who gets which units: live orders in pledge order, then the house if it gets any."""
        for order in self.state.live_orders():
            yield self.names[order.pledger], order, order.by_variant
        if count(self.state.house_units()):
            yield HOUSE, None, self.state.house_units()

    def local(self, at: int) -> datetime:
        """Give a time (ms) as it is in the owning group's zone."""
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(self.group.time_zone))


def export(kind: Kind, source: Export) -> Table:
    """Give a table of a cleared buy."""
    columns, rows, last = _TABLES[kind](source)
    product, currency = source.product, source.state.terms.currency
    about = {
        "table": kind.value,
        "buy": source.state.buy_id,
        "status": source.state.status.value,
        "product": product.name,
        "sku": product.sku,
        "currency": currency,
        "exponent": exponent(currency),
        "made_at": source.local(source.made_at).isoformat(timespec="seconds"),
    }
    return Table(about, currency, columns, tuple(rows), last or sums(columns, rows))


def file_name(kind: Kind, source: Export, suffix: str) -> str:
    """Give a name such as `wool-circle-merino-throw-b1x2y3-by-member.csv`, of a-z, 0-9, dash and dot only."""
    parts = [_slug(source.group.name), _slug(source.product.name), _slug(source.state.buy_id), kind.value]
    return "-".join(part for part in parts if part) + f".{suffix}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", fold(text)).strip("-")[:_LONGEST_SLUG].strip("-")


_Made = tuple[tuple[Column, ...], Sequence[Row], Row | None]


def _supplier(source: Export) -> _Made:
    """What to order: ordered are the units of live orders and of the house, short those that did not come. There is
    one total of packs, whatever the variants in them."""
    columns = (
        Column("item"), Column("sku"), Column("variant"), Column("ordered", Cell.COUNT), Column("short", Cell.COUNT),
        Column("pack_size", Cell.COUNT), Column("packs", Cell.COUNT), Column("loose", Cell.COUNT),
        Column("unit_price", Cell.AMOUNT), Column("amount", Cell.AMOUNT),
    )  # fmt: skip
    state, product = source.state, source.product
    orders = state.live_orders()
    ordered = _by_variant([*(order.ordered for order in orders), state.house])
    came = _by_variant([*(order.by_variant for order in orders), state.house_units()])
    price = state.unit_price
    rows: list[Row] = []
    for variant in source.variants():
        units, here = ordered.get(variant, 0), came.get(variant, 0)
        head = (product.name, product.sku, variant)
        rows.append((*head, units, units - here, None, None, None, price, here * price))
    invoice, total, pack = supplier_invoice(state), sum(ordered.values()), state.terms.pack
    if state.terms.tax is not None and not state.terms.tax.inclusive:
        on_top = invoice - sum(came.values()) * price
        rows.append((TAX, "", "", None, None, None, None, None, None, on_top))
    short = total - sum(came.values())
    return columns, rows, (SUM, None, None, total, short, pack, total // pack, total % pack, None, invoice)


def _by_variant(parcels: Sequence[Units]) -> dict[str, int]:
    found: dict[str, int] = {}
    for variant, units in (pair for parcel in parcels for pair in parcel):
        found[variant] = found.get(variant, 0) + units
    return found


def _by_member(source: Export) -> _Made:
    """One line for each account. Charged = goods + shared + tax; `tax_included` is what the goods contain of it."""
    columns = (
        Column("alias"), Column("orders"), Column("status"), Column("units", Cell.COUNT), Column("variants"),
        *(Column(name, Cell.AMOUNT)
          for name in ("goods", "shared", "tax", "tax_included", "charged", "received", "balance")),
    )  # fmt: skip
    rows = [_account(source, statement) for statement in statements(source.state)]
    return columns, rows, None


def _account(source: Export, account: Statement) -> Row:
    state = source.state
    orders = [order for order in state.orders if order.pledger == account.pledger]
    parcels = [order.by_variant for order in orders if order.status.is_live]
    if account.pledger is None:
        parcels = [state.house_units()]
    contains = state.terms.tax is not None and state.terms.tax.inclusive
    return (
        HOUSE if account.pledger is None else source.names[account.pledger],
        ", ".join(order.id for order in orders),
        ", ".join(dict.fromkeys(order.status.value for order in orders)),
        account.units,
        _worded(source, _by_variant(parcels)),
        account.goods,
        account.shared,
        0 if contains else account.tax,
        account.tax if contains else 0,
        account.charged,
        account.received,
        account.balance,
    )


def _worded(source: Export, units: Mapping[str, int]) -> str:
    """Give units by variant as `2 × S, 1 × M`; nothing where there are no variants, as their number stands beside."""
    if not source.has_variants:
        return ""
    return ", ".join(f"{units[variant]} × {variant}" for variant in source.variants() if units.get(variant))


def _by_item(source: Export) -> _Made:
    """Who gets each variant, at the price without shared cost and without tax that comes on top."""
    columns = (
        Column("item"), Column("sku"), Column("variant"), Column("alias"), Column("order"),
        Column("units", Cell.COUNT), Column("unit_price", Cell.AMOUNT, adds=False), Column("amount", Cell.AMOUNT),
    )  # fmt: skip
    product, price = source.product, source.state.unit_price
    rows: list[Row] = []
    for variant in source.variants():
        for name, order, parcel in source.lines():
            if units := _by_variant([parcel]).get(variant):
                order_id = order.id if order else ""
                rows.append((product.name, product.sku, variant, name, order_id, units, price, units * price))
    return columns, rows, None


def _matrix(source: Export) -> _Made:
    """Members down, variants across."""
    heads = [f"units {variant}".strip() for variant in source.variants()]
    columns = (Column("alias"), *(Column(head, Cell.COUNT) for head in heads), Column("sum", Cell.COUNT))
    rows: list[Row] = []
    parcels: dict[Pledger | None, list[Units]] = {}
    names: dict[Pledger | None, str] = {}
    for name, order, parcel in source.lines():
        pledger = order.pledger if order else None
        parcels.setdefault(pledger, []).append(parcel)
        names[pledger] = name
    for pledger, theirs in parcels.items():
        units = _by_variant(theirs)
        rows.append((names[pledger], *(units.get(v, 0) for v in source.variants()), sum(units.values())))
    return columns, rows, None


def _packing(source: Export) -> _Made:
    """What to put into whose bag, by alias; who gets nothing is left out."""
    columns = (
        Column("packed"), Column("alias"), Column("order"), Column("units", Cell.COUNT), Column("variants"),
        Column("paid"),
    )  # fmt: skip
    rows: list[Row] = []
    for name, order, parcel in sorted(source.lines(), key=lambda line: (line[1] is None, fold(line[0]))):
        head = (EMPTY_BOX, name, order.id if order else "")
        paid = "" if order is None else "yes" if source.state.due(order) <= 0 else "no"
        if count(parcel):
            rows.append((*head, count(parcel), _worded(source, _by_variant([parcel])), paid))
    return columns, rows, None


def _unpaid(source: Export) -> _Made:
    """Who still owes, and until when (in the owning group's time zone)."""
    columns = (
        Column("alias"), Column("order"), Column("total", Cell.AMOUNT), Column("received", Cell.AMOUNT),
        Column("due", Cell.AMOUNT), Column("pay_by"), Column("reminders", Cell.COUNT, adds=False),
    )  # fmt: skip
    owing = [order for order in source.state.live_orders() if source.state.due(order) > 0]
    return columns, [_debt(source, order) for order in owing], None


def _debt(source: Export, order: Order) -> Row:
    state, pay_by = source.state, f"{source.local(order.pay_by):%Y-%m-%d %H:%M}"
    name, received = source.names[order.pledger], state.received(order.id)
    return name, order.id, order.total, received, state.due(order), pay_by, order.reminders


def _refunds(source: Export) -> _Made:
    """What is still to go back, and what has gone back already."""
    columns = (
        Column("alias"), Column("order"), Column("status"), Column("amount", Cell.AMOUNT),
        Column("refunded", Cell.AMOUNT),
    )  # fmt: skip
    due = {order.id: amount for order, amount in refunds_due(source.state)}
    rows: list[Row] = []
    for order in source.state.orders:
        back = [p for p in source.state.payments if p.order_id == order.id and p.amount < 0 and p.reverses is None]
        refunded, amount = -sum(payment.amount for payment in back), due.get(order.id, 0)
        if amount or refunded:
            rows.append((source.names[order.pledger], order.id, order.status.value, amount, refunded))
    return columns, rows, None


_TABLES: Mapping[Kind, Callable[[Export], _Made]] = {
    Kind.SUPPLIER: _supplier,
    Kind.BY_MEMBER: _by_member,
    Kind.BY_ITEM: _by_item,
    Kind.MATRIX: _matrix,
    Kind.PACKING: _packing,
    Kind.UNPAID: _unpaid,
    Kind.REFUNDS: _refunds,
}
