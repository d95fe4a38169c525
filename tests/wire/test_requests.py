"""What bots ask for by keys of ours: read strictly, or refused with the field that is wrong."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.clearing import Tier
from appservice.domain.group_buy import GroupBuy, Status, Terms, check_terms
from appservice.domain.ids import BuyId, GroupId, Number, ProductId
from appservice.domain.money import Tax
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal
from appservice.wire import group_buy as wire_buy
from appservice.wire.buy_request import BuyRequest, parse_buy_request
from appservice.wire.keyed import parse_keyed
from appservice.wire.product import TYPE as PRODUCT
from appservice.wire.product import ProductRequest, format_product, parse_product
from tests.wire.test_reading import json_values

BUY = wire_buy.TYPE
DOCS = Path(__file__).parents[2] / "docs"
NOW = 1_795_340_000_000
THROW = Product(ProductId("3c8fnk"), GroupId("wk7x3m"), "merino-throw", "Merino throw", 8900, "EUR",
                "https://shop.example/throw", Number(2), NOW)  # fmt: skip
FIELDS = [
    "version", "id", "status", "reason", "product", "priceCurrency", "exponent", "tiers", "closes_at", "opens_at",
    "pack", "cap", "least", "most", "step", "variants", "shared_cost", "tax", "card", "unit_price", "total", "lines",
    "minimum",
    "rate", "inclusive", "sku", "name", "url", "price",
]  # fmt: skip
odd_values = st.recursive(
    json_values | st.sampled_from(["open", "closing", "k3x9qf", 10, 7900, 2**53, -1]),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6) | st.lists(inner, max_size=3),
    max_leaves=30,
)
requests = st.dictionaries(st.sampled_from(FIELDS), odd_values, max_size=6) | odd_values


@st.composite
def offers(draw: st.DrawFn) -> Terms:
    """Terms that can be offered."""
    minimums = sorted(draw(st.sets(st.integers(1, 500), min_size=1, max_size=4)))
    prices = sorted(draw(st.sets(st.integers(1, 9000), min_size=len(minimums), max_size=len(minimums))), reverse=True)
    terms = Terms(
        "EUR",
        tuple(Tier(*pair) for pair in zip(minimums, prices, strict=True)),
        NOW + draw(st.integers(2, 10**9)),
        pack=draw(st.integers(1, 3)),
        cap=draw(st.none() | st.integers(600, 10**6)),
        opens_at=draw(st.none() | st.just(NOW + 1)),
        least=draw(st.integers(1, 4)),
        most=draw(st.none() | st.integers(20, 9999)),
        step=draw(st.integers(1, 5)),
        variants=tuple(draw(st.sampled_from([(), ("S",), ("S", "Large blue")]))),
        shared_cost=draw(st.integers(0, 10**6)),
        tax=draw(st.none() | st.builds(Tax, st.integers(0, 10_000), st.booleans())),
    )
    assert check_terms(terms, NOW) is None
    return terms


@given(requests)
def test_nothing_that_can_be_sent_makes_reading_a_request_fail(content: Any) -> None:
    before = copy.deepcopy(content)
    found = parse_buy_request(content)
    assert isinstance(found, BuyRequest) or found.reason is Reason.BAD_REQUEST
    if isinstance(found, BuyRequest):
        integers = [value for value in found.terms.values() if isinstance(value, int | float)]
        assert all(type(value) is int and 0 <= value < 2**53 for value in integers)
        assert all(isinstance(tier, Tier) for tier in found.terms.get("tiers", ()))
    product = parse_product(content, "EUR")
    assert isinstance(product, Refusal) or (type(product.price) is int and product.link.startswith("http"))
    parse_keyed({"msgtype": "m.notice", "body": "x", BUY: content, PRODUCT: content, "m.relates_to": content})
    assert repr(content) == repr(before)


@given(offers(), st.booleans())
def test_what_the_service_publishes_reads_as_what_it_is(terms: Terms, is_open: bool) -> None:
    status = Status.OPEN if is_open else Status.SCHEDULED
    buy = GroupBuy(BuyId("gatw5j"), THROW.group_id, THROW.id, terms, Number(2), NOW, status)
    found = parse_buy_request(wire_buy.format_state(buy, THROW, "$card", 7900))
    assert isinstance(found, BuyRequest)
    assert (found.id, found.status, found.product_id, found.sku) == (buy.id, status, THROW.id, THROW.sku)
    assert (found.currency, found.exponent) == ("EUR", 2)
    assert {**found.terms} == {name: getattr(terms, name) for name in found.terms}
    left_out = {name for name in Terms.__slots__ if name not in found.terms} - {"currency"}
    assert {getattr(terms, name) for name in left_out} <= {None, 1, 0, ()}, "only what is as usual is left out"


@pytest.mark.parametrize("name", ["pack", "cap", "least", "most", "step", "shared_cost", "closes_at", "opens_at"])
@pytest.mark.parametrize("value", [True, 1.0, "1", -1, 2**53, [1], {"x": 1}])
def test_a_number_is_a_whole_one(name: str, value: object) -> None:
    assert parse_buy_request({name: value}) == Refusal(Reason.BAD_REQUEST, {"field": name, "why": "wrong"})


@pytest.mark.parametrize("name", ["cap", "most", "opens_at", "tax"])
def test_null_takes_away_what_a_buy_need_not_have(name: str) -> None:
    found = parse_buy_request({name: None})
    assert isinstance(found, BuyRequest) and dict(found.terms) == {name: None}


@pytest.mark.parametrize("name", ["pack", "least", "step", "shared_cost", "closes_at", "tiers", "variants", "status"])
def test_null_does_not_take_away_what_every_buy_has(name: str) -> None:
    assert parse_buy_request({name: None}) == Refusal(Reason.BAD_REQUEST, {"field": name, "why": "wrong"})


def test_closed_is_another_word_for_closing() -> None:
    assert parse_buy_request({"status": "closed"}) == parse_buy_request({"status": "closing"})


def test_a_reason_has_no_marks_that_cannot_be_seen_and_no_matrix_id() -> None:
    found = parse_buy_request({"reason": "Ask\u202e @ana:example.org\n today"})
    assert isinstance(found, BuyRequest) and found.reason == "Ask (an id) today"


@pytest.mark.parametrize(
    "content",
    [
        {BUY: {"id": "k3x9qf", "total": 3}},
        {BUY: {"id": "k3x9qf", "status": "succeeded", "lines": []}},
        {PRODUCT: format_product(THROW)},
        {BUY: {"id": "k3x9qf"}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$x"}},
        {"m.new_content": {BUY: {"id": "k3x9qf"}}},
        {},
    ],
)
def test_copies_and_edits_ask_for_nothing(content: dict[str, Any]) -> None:
    assert parse_keyed(content) is None


def test_a_product_is_read_as_it_is_meant() -> None:
    content = {
        "name": " Mug ",
        "url": "https://shop.example/mug",
        "price": 12500,
        "priceCurrency": "KWD",
        "exponent": 3,
    }
    assert parse_product(content, "KWD") == ProductRequest("Mug", 12500, "https://shop.example/mug")
    assert parse_product(content, "EUR") == Refusal(Reason.BAD_REQUEST, {"field": "priceCurrency", "why": "wrong"})


def documented() -> list[dict[str, Any]]:
    """The examples in the section on requests of docs/events.md."""
    section = (DOCS / "events.md").read_text(encoding="utf-8").partition("\n## Requests")[2].partition("\n## ")[0]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)]


@pytest.mark.parametrize("example", documented(), ids=lambda example: ", ".join(example))
def test_the_examples_in_the_docs_are_understood(example: dict[str, Any]) -> None:
    if "msgtype" not in example:
        example = {BUY: example}
    keyed = parse_keyed(example)
    assert keyed is not None
    for type, value in keyed.values.items():
        read = parse_product(value, "EUR") if type == PRODUCT else parse_buy_request(value)
        assert not isinstance(read, Refusal)


def test_the_docs_show_each_step_of_a_buy() -> None:
    assert len(documented()) == 4
