"""Tables of a cleared buy: their sums are the ledger's, a spreadsheet reads them right, and takes no text for a
formula."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, settings
from hypothesis import given as draw
from hypothesis import strategies as st

from appservice.domain import fulfilment
from appservice.domain.account import Booking, book, charge, refunds_due, supplier_invoice
from appservice.domain.account import Kind as Booked
from appservice.domain.clearing import Tier
from appservice.domain.fulfilment import (
    Accept,
    Deliver,
    Drop,
    Fulfilment,
    HouseTake,
    Offer,
    Pay,
    Refund,
    Rule,
    Wait,
    decide,
    evolve,
)  # fmt: skip
from appservice.domain.group import Group
from appservice.domain.group_buy import Advance, Cancel, Status
from appservice.domain.ids import BuyId, GroupId, OrderId, ProductId, UserId
from appservice.domain.money import Tax, exponent
from appservice.domain.product import Product
from appservice.domain.refusal import Refusal
from appservice.present.exports import EMPTY_BOX, HOUSE, TAX, Export, Kind, export, file_name
from appservice.present.table import SUM, Cell, Column, Table, safe, sums, to_csv, to_json
from tests.domain.given import ANA, BEN, BOSS, MIA, OTTO, PAY_BY, a_buy, add, after, cleared, went_on
from tests.domain.test_account import fates, requests_for, taxes

NOW = 1_795_435_200_000  # Monday 23 November 2026, 12:00 UTC
GROUP = Group(GroupId("g"), "Wool circle", UserId("@rosa:x"), 20, "EUR", "en", "Europe/Vienna")
THROW = Product(ProductId("p"), GROUP.id, "THROW-1", "Merino throw", 8900, "EUR", "https://x.example", BOSS, NOW)
NAMES = {ANA: "Otter", BEN: "Calm Fox", OTTO: "Lynx", MIA: "group 2, no. 1"}
O0, O1, O2 = OrderId("o0"), OrderId("o1"), OrderId("o2")


def source(state: Fulfilment, **more: Any) -> Export:
    names = {order.pledger: NAMES.get(order.pledger, f"no. {order.pledger.number}") for order in state.orders}
    return replace(Export(GROUP, THROW, state, names, NOW), **more)


def read(kind: Kind, state: Fulfilment, **more: Any) -> list[list[str]]:
    """The lines of the CSV file, as a reader of CSV sees them."""
    return lines(to_csv(export(kind, source(state, **more))))


def lines(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def column(table: Sequence[Sequence[str]], name: str) -> list[str]:
    """What stands in a column, less head and sum."""
    return [row[table[0].index(name)] for row in table[1:-1]]


def three_orders(**terms: Any) -> Fulfilment:
    """Otter (o0) 2 S and 1 M, Calm Fox (o1) 1 M, Lynx (o2) 2 L, at 79.00 and 10.00 of shared cost, in packs of 2."""
    more = {"tiers": (Tier(1, 7900),), "variants": ("S", "M", "L", "XL"), "shared_cost": 1000, "pack": 2} | terms
    pledges = [add(ANA, 2, 1, variant="S"), add(ANA, 1, 2, variant="M"), add(BEN, 1, 3, variant="M"),
               add(OTTO, 2, 4, variant="L")]  # fmt: skip
    return cleared(after(a_buy(**more), *pledges))


def plain(**terms: Any) -> Fulfilment:
    """Otter (o0) 2 units, Calm Fox (o1) 1; no variants."""
    return cleared(after(a_buy(**{"tiers": (Tier(1, 7900),)} | terms), add(ANA, 2, 1), add(BEN, 1, 2)))


# What stands in each table


def test_the_supplier_reads_units_by_variant_and_one_total_in_packs() -> None:
    assert read(Kind.SUPPLIER, three_orders()) == [
        ["item", "sku", "variant", "ordered", "short", "pack_size", "packs", "loose", "unit_price", "amount",
         "currency"],
        ["Merino throw", "THROW-1", "S", "2", "0", "", "", "", "79.00", "158.00", "EUR"],
        ["Merino throw", "THROW-1", "M", "2", "0", "", "", "", "79.00", "158.00", "EUR"],
        ["Merino throw", "THROW-1", "L", "2", "0", "", "", "", "79.00", "158.00", "EUR"],
        ["Merino throw", "THROW-1", "XL", "0", "0", "", "", "", "79.00", "0.00", "EUR"],
        [SUM, "", "", "6", "0", "2", "3", "0", "", "474.00", "EUR"],
    ]  # fmt: skip


def test_units_that_fill_no_pack_and_tax_on_top_have_their_place() -> None:
    state = went_on(three_orders(tax=Tax(2000, inclusive=False), pack=6), Drop(O1, PAY_BY), fulfilment.Absorb(BOSS))
    *_, tax, total = read(Kind.SUPPLIER, state)
    assert tax == [TAX, "", "", "", "", "", "", "", "", "79.00", "EUR"]
    assert total == [SUM, "", "", "5", "0", "6", "0", "5", "", "474.00", "EUR"]


def test_the_supplier_order_stays_as_it_was_when_less_arrives() -> None:
    state = arrived(three_orders(), {"S": 1, "M": 2, "L": 2})
    table = read(Kind.SUPPLIER, state)
    assert (column(table, "ordered"), column(table, "short")) == (["2", "2", "2", "0"], ["1", "0", "0", "0"])
    assert column(table, "amount") == ["79.00", "158.00", "158.00", "0.00"]


def arrived(state: Fulfilment, units: dict[str, int]) -> Fulfilment:
    steps = [Advance(Status.ORDERED, BOSS), Advance(Status.ARRIVED, BOSS)]
    return went_on(state, *steps, Deliver(units, Rule.FIRST_COME, BOSS))


def test_what_the_house_does_not_get_is_in_no_table() -> None:
    state = went_on(three_orders(), Advance(Status.ORDERED, BOSS), Drop(O1, PAY_BY), Advance(Status.ARRIVED, BOSS))
    state = went_on(state, Deliver({"S": 2, "M": 1, "L": 2}, Rule.FIRST_COME, BOSS))
    assert read(Kind.SUPPLIER, state)[-1] == [SUM, "", "", "6", "1", "2", "3", "0", "", "395.00", "EUR"]
    assert read(Kind.BY_MEMBER, state)[4][:6] == [HOUSE, "", "", "0", "", "0.00"]
    for kind in (Kind.BY_ITEM, Kind.MATRIX, Kind.PACKING):
        assert not any(HOUSE in row for row in read(kind, state))


def test_the_house_gets_what_is_left_of_a_short_delivery() -> None:
    state = went_on(three_orders(), Advance(Status.ORDERED, BOSS), Drop(O2, PAY_BY), Advance(Status.ARRIVED, BOSS))
    state = went_on(state, Deliver({"S": 2, "M": 2, "L": 1}, Rule.FIRST_COME, BOSS))
    assert read(Kind.MATRIX, state)[-2:] == [[HOUSE, "0", "0", "1", "0", "1"], [SUM, "2", "2", "1", "0", "5"]]
    assert read(Kind.PACKING, state)[-2] == [EMPTY_BOX, HOUSE, "", "1", "1 × L", ""]


def test_each_member_has_one_line_with_what_they_owe_and_the_house_the_last() -> None:
    state = went_on(three_orders(), Pay(O0, 24200, "EUR", "r1"), Advance(Status.ORDERED, BOSS), Drop(O2, PAY_BY))
    assert read(Kind.BY_MEMBER, state) == [
        ["alias", "orders", "status", "units", "variants", "goods", "shared", "tax", "tax_included", "charged",
         "received", "balance", "currency"],
        ["Otter", "o0", "paid", "3", "2 × S, 1 × M", "237.00", "5.00", "0.00", "0.00", "242.00", "242.00", "0.00",
         "EUR"],
        ["Calm Fox", "o1", "owed", "1", "1 × M", "79.00", "1.67", "0.00", "0.00", "80.67", "0.00", "80.67", "EUR"],
        ["Lynx", "o2", "dropped", "0", "", "0.00", "0.00", "0.00", "0.00", "0.00", "0.00", "0.00", "EUR"],
        [HOUSE, "", "", "2", "2 × L", "158.00", "3.33", "0.00", "0.00", "161.33", "0.00", "161.33", "EUR"],
        [SUM, "", "", "6", "", "474.00", "10.00", "0.00", "0.00", "484.00", "242.00", "242.00", "EUR"],
    ]  # fmt: skip


@pytest.mark.parametrize("inclusive", [True, False])
def test_what_a_line_is_charged_can_be_added_up_wherever_the_tax_is(inclusive: bool) -> None:
    table = read(Kind.BY_MEMBER, plain(tax=Tax(2000, inclusive), shared_cost=100))
    for row in table[1:]:
        goods, shared, tax, included, charged = (Decimal(row[table[0].index(name)])
            for name in ("goods", "shared", "tax", "tax_included", "charged"))  # fmt: skip
        assert goods + shared + tax == charged
        assert (tax if inclusive else included) == 0
    assert (column(table, "tax"), column(table, "tax_included")) == (
        (["0.00", "0.00", "0.00"], ["26.33", "13.17", "0.00"])
        if inclusive
        else (["31.60", "15.80", "0.00"], ["0.00", "0.00", "0.00"])
    )


def test_a_member_with_two_orders_has_one_line_in_the_account_and_one_for_each_bag() -> None:
    waits = [Wait("w", ANA, 1), Drop(O1, PAY_BY), Offer(PAY_BY + 9, PAY_BY)]
    state = went_on(
        plain(), *waits, Accept("w", ANA, OrderId("n"), "m", PAY_BY + 50, PAY_BY), Pay(O0, 15800, "EUR", "r")
    )
    assert read(Kind.BY_MEMBER, state)[1][:4] == ["Otter", "o0, n", "paid, owed", "3"]
    assert read(Kind.MATRIX, state)[1:] == [["Otter", "3", "3"], [SUM, "3", "3"]]
    assert [row[1:] for row in read(Kind.PACKING, state)[1:-1]] == [
        ["Otter", "o0", "2", "", "yes"],
        ["Otter", "n", "1", "", "no"],
    ]


def test_each_variant_lists_who_gets_it() -> None:
    state = went_on(three_orders(), Advance(Status.ORDERED, BOSS), Drop(O1, PAY_BY))
    assert read(Kind.BY_ITEM, state) == [
        ["item", "sku", "variant", "alias", "order", "units", "unit_price", "amount", "currency"],
        ["Merino throw", "THROW-1", "S", "Otter", "o0", "2", "79.00", "158.00", "EUR"],
        ["Merino throw", "THROW-1", "M", "Otter", "o0", "1", "79.00", "79.00", "EUR"],
        ["Merino throw", "THROW-1", "M", HOUSE, "", "1", "79.00", "79.00", "EUR"],
        ["Merino throw", "THROW-1", "L", "Lynx", "o2", "2", "79.00", "158.00", "EUR"],
        [SUM, "", "", "", "", "6", "", "474.00", "EUR"],
    ]


def test_the_matrix_adds_up_down_and_across() -> None:
    state = went_on(three_orders(), Advance(Status.ORDERED, BOSS), Drop(O1, PAY_BY))
    assert read(Kind.MATRIX, state) == [
        ["alias", "units S", "units M", "units L", "units XL", "sum"],
        ["Otter", "2", "1", "0", "0", "3"],
        ["Lynx", "0", "0", "2", "0", "2"],
        [HOUSE, "0", "1", "0", "0", "1"],
        [SUM, "2", "2", "2", "0", "6"],
    ]


def test_the_packing_list_has_what_came_by_alias_with_a_box_to_tick() -> None:
    state = went_on(arrived(three_orders(), {"S": 1, "M": 1, "L": 2}), Pay(O0, 16300, "EUR", "r1"))
    assert read(Kind.PACKING, state) == [
        ["packed", "alias", "order", "units", "variants", "paid"],
        [EMPTY_BOX, "Lynx", "o2", "2", "2 × L", "no"],
        [EMPTY_BOX, "Otter", "o0", "2", "1 × S, 1 × M", "yes"],
        [SUM, "", "", "4", "", ""],
    ]


def test_the_house_is_packed_last_and_pays_nobody() -> None:
    state = went_on(plain(), Advance(Status.ORDERED, BOSS), Drop(O0, PAY_BY))
    assert [row[1:] for row in read(Kind.PACKING, state)[1:-1]] == [
        ["Calm Fox", "o1", "1", "", "no"],
        [HOUSE, "", "2", "", ""],
    ]


def test_the_unpaid_are_listed_with_the_time_in_the_zone_of_the_group() -> None:
    state = went_on(three_orders(), Pay(O0, 24200, "EUR", "r1"), Pay(O1, 67, "EUR", "r2"), fulfilment.Remind(O1))
    state = replace(state, orders=tuple(replace(order, pay_by=1_795_474_800_000) for order in state.orders))
    assert read(Kind.UNPAID, state) == [
        ["alias", "order", "total", "received", "due", "pay_by", "reminders", "currency"],
        ["Calm Fox", "o1", "80.67", "0.67", "80.00", "2026-11-24 00:00", "1", "EUR"],
        ["Lynx", "o2", "161.33", "0.00", "161.33", "2026-11-24 00:00", "0", "EUR"],
        [SUM, "", "242.00", "0.67", "241.33", "", "", "EUR"],
    ]
    newfoundland = replace(GROUP, time_zone="America/St_Johns")
    assert column(read(Kind.UNPAID, state, group=newfoundland), "pay_by")[0] == "2026-11-23 19:30"


def test_nobody_owes_once_the_buy_is_cancelled_and_what_came_is_to_go_back() -> None:
    state = went_on(plain(), Pay(O0, 5, "EUR", "r1"), Pay(O1, 7900, "EUR", "r2"), Cancel("gone", BOSS))
    state = went_on(state, Refund(O1, 7900, "r3"))
    assert read(Kind.UNPAID, state)[1:] == [[SUM, "", "0.00", "0.00", "0.00", "", "", "EUR"]]
    assert read(Kind.REFUNDS, state) == [
        ["alias", "order", "status", "amount", "refunded", "currency"],
        ["Otter", "o0", "cancelled", "0.05", "0.00", "EUR"],
        ["Calm Fox", "o1", "refunded", "0.00", "79.00", "EUR"],
        [SUM, "", "", "0.05", "79.00", "EUR"],
    ]


def test_a_payment_that_was_reversed_is_no_refund() -> None:
    state = went_on(plain(), Pay(O0, 15800, "EUR", "r1"), fulfilment.Reverse("r1", "r2"))
    assert read(Kind.REFUNDS, state)[1:-1] == []


# The sums are those of the ledger


@st.composite
def many_buys(draw: st.DrawFn) -> Fulfilment:
    currency, price = draw(st.sampled_from([("EUR", 7999), ("JPY", 1285), ("KWD", 3333), ("KWD", 1)]))
    variants = draw(st.sampled_from([(), ("S", "M")]))
    buy = a_buy(currency=currency, tiers=(Tier(draw(st.integers(1, 12)), price),), pack=draw(st.sampled_from([1, 4])),
                cap=draw(st.none() | st.integers(12, 24)), shared_cost=draw(st.integers(0, 2000)), tax=draw(taxes),
                variants=variants)  # fmt: skip
    pledge = st.tuples(st.sampled_from([ANA, BEN, OTTO, MIA]), st.integers(1, 8), st.sampled_from(variants or (None,)))
    pledges = draw(st.lists(pledge, min_size=2, max_size=8))
    buy = after(buy, *(add(who, units, n, variant=variant) for n, (who, units, variant) in enumerate(pledges)))
    assume(buy.clearing() is not None)
    return cleared(buy)


def with_variant(request: fulfilment.Request, variants: tuple[str, ...], n: int) -> fulfilment.Request:
    """What `requests_for` asks, for one of the buy's variants."""
    if not variants:
        return request
    if isinstance(request, Wait | HouseTake):
        return replace(request, variant=variants[n % len(variants)])
    if isinstance(request, Deliver):
        half = request.arrived[""] // 2
        return replace(request, arrived={variants[0]: half, variants[1]: request.arrived[""] - half})
    return request


@settings(max_examples=150, deadline=None)
@draw(many_buys(), fates, st.booleans())
def test_the_tables_add_up_to_the_ledger(state: Fulfilment, fate: list[tuple], called_off: bool) -> None:
    ledger: list[Booking] = list(charge(state.orders))
    for n, happening in enumerate([*fate, ("cancel", 0)] if called_off else fate):
        for request in requests_for(state, happening, n, PAY_BY + n):
            facts = decide(state, with_variant(request, state.terms.variants, n))
            for fact in [] if isinstance(facts, Refusal) else facts:
                ledger += book(state, fact)
                state = evolve(state, fact)
    check_sums(state, ledger)
    check_files(state)


MONEY = (Booked.PAYMENT, Booked.REFUND)


def check_sums(state: Fulfilment, ledger: list[Booking]) -> None:
    """What the files say, added up again from their lines, is what was booked."""
    tables = {kind: read(kind, state) for kind in Kind}
    invoice = supplier_invoice(state)
    shared = 0 if state.status is Status.CANCELLED else state.terms.shared_cost
    money = [each for each in ledger if each.kind in MONEY or (each.reverses and each.reverses != each.order_id)]
    charged = sum(each.amount for each in ledger if each not in money)
    by_member = tables[Kind.BY_MEMBER]
    assert added(by_member, "charged", state) == charged == invoice + shared
    assert added(by_member, "received", state) == -sum(each.amount for each in money)
    assert added(by_member, "balance", state) == sum(each.amount for each in ledger)
    assert added(tables[Kind.SUPPLIER], "amount", state) == invoice
    goods, on_top = added(by_member, "goods", state), added(by_member, "tax", state)
    assert added(tables[Kind.BY_ITEM], "amount", state) == goods
    assert goods + on_top == invoice
    units = [int(n) for n in column(tables[Kind.MATRIX], "sum")]
    assert sum(units) * state.unit_price == goods
    assert (
        sum(units) == sum(map(int, column(by_member, "units"))) == sum(map(int, column(tables[Kind.PACKING], "units")))
    )
    assert all(int(row[-1]) == sum(map(int, row[1:-1])) for row in tables[Kind.MATRIX][1:])
    assert added(tables[Kind.UNPAID], "due", state) == sum(max(0, state.due(order)) for order in state.live_orders())
    assert added(tables[Kind.REFUNDS], "amount", state) == sum(amount for _, amount in refunds_due(state))
    refunded = sum(each.amount for each in ledger if each.kind is Booked.REFUND)
    assert added(tables[Kind.REFUNDS], "refunded", state) == refunded


def added(table: list[list[str]], name: str, state: Fulfilment) -> int:
    """Add a column of amounts up; its last line must say the same. In minor units."""
    places = exponent(state.terms.currency)
    total = Decimal(0)
    for text in column(table, name):
        assert len(text.partition(".")[2]) == places, "each amount has the decimals of its currency"
        total += Decimal(text)
    assert Decimal(table[-1][table[0].index(name)]) == total
    return int(total.scaleb(places))


def check_files(state: Fulfilment) -> None:
    """JSON says what CSV says, and every line is whole."""
    for kind in Kind:
        table = export(kind, source(state))
        rows = lines(to_csv(table))
        assert {len(row) for row in rows} == {len(rows[0])}
        for row, said in zip(rows[1:-1], json.loads(to_json(table))["rows"], strict=True):
            for name, cell in zip(rows[0], row, strict=True):
                assert name == "currency" or cell == ("" if said[name] is None else str(said[name]))
                if f"{name}_minor" in said and cell:
                    assert Decimal(cell).scaleb(exponent(state.terms.currency)) == said[f"{name}_minor"]


# CSV


def test_csv_is_utf8_with_its_mark_and_ends_lines_as_rfc_4180_has_it() -> None:
    data = to_csv(export(Kind.MATRIX, source(plain())))
    assert data == b"\xef\xbb\xbfalias,units,sum\r\nOtter,2,2\r\nCalm Fox,1,1\r\n(sum),3,3\r\n"


@pytest.mark.parametrize(
    ("currency", "minor", "written"),
    [
        ("EUR", 7900, "79.00"),
        ("EUR", -5, "-0.05"),
        ("EUR", 10**12, "10000000000.00"),
        ("EUR", 0, "0.00"),
        ("JPY", 7900, "7900"),
        ("KWD", 7900, "7.900"),
        ("KWD", -(10**12), "-1000000000.000"),
    ],
)
def test_amounts_are_plain_decimals(currency: str, minor: int, written: str) -> None:
    columns = (Column("who"), Column("amount", Cell.AMOUNT))
    table = Table({}, currency, columns, (("Otter", minor),), sums(columns, [("Otter", minor)]))
    assert lines(to_csv(table)) == [
        ["who", "amount", "currency"], ["Otter", written, currency], [SUM, written, currency],
    ]  # fmt: skip
    assert json.loads(to_json(table))["rows"] == [{"who": "Otter", "amount": written, "amount_minor": minor}]


NAMES_TO_SURVIVE = ['Ana "the\nOtter"', "a;b,c", "1,5\r\nx", "Ünïcødé 毛布 🧶", "'quoted'", " spaced ", "a\tb", ""]


@pytest.mark.parametrize("name", NAMES_TO_SURVIVE)
def test_a_name_survives_whatever_is_in_it(name: str) -> None:
    told = {**NAMES, ANA: name}
    assert column(read(Kind.BY_MEMBER, plain(), names=told), "alias") == [name, "Calm Fox", HOUSE]
    rows = json.loads(to_json(export(Kind.BY_MEMBER, source(plain(), names=told))))["rows"]
    assert rows[0]["alias"] == name


# Formulas

SIGNS = ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "−", "﹦", "﹢"]
UNSEEN = [
    "",
    " ",
    "   ",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u202e",
    "\u2060",
    "\u3164",
    "\u00ad",
    "\u034f",
    "\ufe0f",
    "\x07",
]
FORMULA = '1+HYPERLINK("https://evil.example","x")'


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
def test_no_text_in_any_column_of_any_table_becomes_a_formula(sign: str, unseen: str) -> None:
    """Every text that people have written, in all tables: aliases, product, SKU, variants."""
    evil = unseen + sign + FORMULA
    assert safe(evil).removeprefix("'") == evil != safe(evil)
    variants = (evil, f"{evil} 2")
    state = cleared(after(a_buy(tiers=(Tier(1, 7900),), variants=("a", "b")), add(ANA, 2, 1, variant="a"),
                          add(BEN, 1, 2, variant="b")))  # fmt: skip
    state = relabelled(went_on(state, Pay(O0, 15801, "EUR", "r1")), dict(zip(("a", "b"), variants, strict=True)))
    product = replace(THROW, name=evil, sku=evil)
    found = set()
    for kind in Kind:
        table = read(kind, state, product=product, names={ANA: evil, BEN: evil})
        for row in table:
            for place, cell in enumerate(row):
                if FORMULA in cell and not cell.startswith(("2 × ", "1 × ", "units ")):
                    assert cell.startswith("'"), (kind, cell)
                    found.add((kind, table[0][place]))
    texts = {(kind, name) for kind in Kind for name in ("alias", "item", "sku", "variant")
             if name in read(kind, state, product=product, names={ANA: evil, BEN: evil})[0]}  # fmt: skip
    assert found == texts


def relabelled(state: Fulfilment, labels: dict[str, str]) -> Fulfilment:
    """The state with other labels of variants, such as the domain would refuse."""
    orders = (replace(order, ordered=tuple((labels[v], n) for v, n in order.ordered)) for order in state.orders)
    return replace(state, orders=tuple(orders), terms=replace(state.terms, variants=tuple(labels.values())))


@pytest.mark.parametrize("end", [";", "\t", "\r", "\n", "\r\n", "; ", ";\u200b"], ids=ascii)
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝"])
def test_a_text_that_goes_on_in_the_next_cell_of_a_spreadsheet_is_no_formula_there(sign: str, end: str) -> None:
    assert safe(f"Otter{end}{sign}1") in (f"Otter{end}'{sign}1", f"Otter{end[:1]}'{end[1:]}{sign}1")


@pytest.mark.parametrize("text", ["Otter", "a=b", "2 × S", "Anne-Marie", "ana@home", "1-2", "", "(sum)", "a; b", "'=1"])
def test_harmless_text_is_left_alone(text: str) -> None:
    assert safe(text) == text


@draw(st.text(st.sampled_from("=+-@＝;\t\r\n \u200b'\"a1,")))
def test_whatever_the_text_no_cell_of_it_begins_as_a_formula(text: str) -> None:
    told = safe(text)
    for cell in told.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert not cell.lstrip(" \u200b").startswith(("=", "+", "-", "@", "＝"))
    assert not told.lstrip(" \u200b").startswith(("\t", "\r"))
    assert told.replace("'", "") == text.replace("'", ""), "nothing else is changed"


def test_our_own_numbers_below_zero_stay_numbers() -> None:
    state = went_on(plain(), Pay(O0, 20000, "EUR", "r1"))
    assert column(read(Kind.BY_MEMBER, state), "balance") == ["-42.00", "79.00", "0.00"]


# JSON


def test_json_says_what_it_is_of_and_each_amount_twice() -> None:
    state = went_on(plain(), Pay(O0, 5, "EUR", "r1"))
    file = json.loads(to_json(export(Kind.UNPAID, source(state))))
    assert file == {
        "table": "unpaid",
        "buy": "b",
        "status": "collecting",
        "product": "Merino throw",
        "sku": "THROW-1",
        "currency": "EUR",
        "exponent": 2,
        "made_at": "2026-11-23T13:00:00+01:00",
        "rows": [
            {"alias": "Otter", "order": "o0", "total": "158.00", "total_minor": 15800, "received": "0.05",
             "received_minor": 5, "due": "157.95", "due_minor": 15795, "pay_by": "1970-01-01 01:33", "reminders": 0},
            {"alias": "Calm Fox", "order": "o1", "total": "79.00", "total_minor": 7900, "received": "0.00",
             "received_minor": 0, "due": "79.00", "due_minor": 7900, "pay_by": "1970-01-01 01:33", "reminders": 0},
        ],
        "sum": {"total": "237.00", "total_minor": 23700, "received": "0.05", "received_minor": 5, "due": "236.95",
                "due_minor": 23695},
    }  # fmt: skip


def test_json_keeps_text_as_it_is() -> None:
    told = {**NAMES, ANA: "=1+1"}
    file = json.loads(to_json(export(Kind.MATRIX, source(plain(), names=told))))
    assert file["rows"][0] == {"alias": "=1+1", "units": 2, "sum": 2}


# Names of files


@pytest.mark.parametrize(
    ("group", "product", "name"),
    [
        ("Wool circle", "Merino throw", "wool-circle-merino-throw-b1x2y3-by-member.csv"),
        ("Café Öl", "Décke / rot", "cafe-ol-decke-rot-b1x2y3-by-member.csv"),
        ("../../etc", "..\\x\0.sh", "etc-x-sh-b1x2y3-by-member.csv"),
        ("毛布", "🧶", "b1x2y3-by-member.csv"),
        ("a" * 500, "-" * 50, "a" * 40 + "-b1x2y3-by-member.csv"),
    ],
)
def test_a_file_is_named_after_group_product_buy_and_table(group: str, product: str, name: str) -> None:
    state = replace(plain(), buy_id=BuyId("b1x2y3"))
    made = source(state, group=replace(GROUP, name=group), product=replace(THROW, name=product))
    assert file_name(Kind.BY_MEMBER, made, "csv") == name
