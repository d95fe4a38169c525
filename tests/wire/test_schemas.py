"""docs/events.md, docs/schemas/ and what the service really writes say the same."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from babel.numbers import list_currencies
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from appservice.domain.clearing import Tier
from appservice.domain.effect import SendEvent
from appservice.domain.group import Group
from appservice.domain.group_buy import (
    ClosingBegun,
    GroupBuy,
    Order,
    Pledged,
    Settle,
    Status,
    Succeeded,
    Terms,
    check_terms,
    decide,
    evolve,
)
from appservice.domain.ids import ALPHABET, BuyId, GroupId, Number, OrderId, ProductId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.product import Picture, Product, sku_from
from appservice.domain.refusal import Refusal
from appservice.domain.text import clean_name
from appservice.matrix import rooms as building
from appservice.present import card, news
from appservice.present.text import edited
from appservice.wire import group as wire_group
from appservice.wire import group_buy as wire_buy
from appservice.wire import order as wire_order
from appservice.wire import product as wire_product

DOCS = Path(__file__).parents[2] / "docs"
EVENTS = (DOCS / "events.md").read_text(encoding="utf-8")
SCHEMAS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((DOCS / "schemas").iterdir())}
MARKED = re.compile(r"<!-- (fields|example): (\S+) -->\n\n(.*?)(?=\n\n|\Z)", re.DOTALL)
LARGEST_EVENT = 65_536  # bytes, by the Matrix spec
NOW = 1_795_340_000_000

# What the examples are made of


MEMBER = Member(GroupId("wk7x3m"), UserId("@ana:example.org"), Presence.JOINED, number=Number(2), alias="Member 2")
GROUP = Group(GroupId("wk7x3m"), "Wool circle", UserId("@rosa:example.org"), 20, "EUR", "en", "Europe/Vienna",
              room_id=RoomId("!group"), desk_id=RoomId("!desk"))  # fmt: skip
PRODUCT = Product(ProductId("3c8fnk"), GROUP.id, "merino-throw", "Merino throw", 8900, "EUR",
                  "https://shop.example/throw", Number(2), NOW)  # fmt: skip
TERMS = Terms("EUR", (Tier(10, 7900), Tier(25, 6900)), 1_795_798_800_000, cap=100)
BUY = GroupBuy(BuyId("gatw5j"), GROUP.id, PRODUCT.id, TERMS, Number(2), NOW, announced=10,
               pledged=(Pledged("$ana", Number(3), 11, 1), Pledged("$otto", Number(4), 7, 2)))  # fmt: skip
ORDERS = (
    Order(OrderId("hs6rvr29"), "zcjqyx3k", Number(3), 11, 7900, 86900),
    Order(OrderId("zddvg4p7"), "d3gnp36g", Number(4), 7, 7900, 55300),
)
CARD = "$GxsWgrH8NuB3QXHdfwnA6KotRG94Hcl1ahfPogdLlUk"


def examples_written() -> dict[str, Any]:
    """What the service writes for the values above, by the name of the schema."""
    ended = replace(BUY, status=Status.SUCCEEDED)
    clearing = BUY.clearing()
    assert clearing is not None
    result = news.succeeded(RoomId("!group"), ended, PRODUCT, GROUP, Succeeded(clearing, ORDERS))
    link = news.purchase_link(None, ended, PRODUCT, ORDERS[0])
    return {
        "shop.coterie.product": wire_product.format_product(PRODUCT),
        "shop.coterie.group_buy.card": wire_buy.format_card(BUY, PRODUCT, clearing),
        "shop.coterie.group_buy.result": result.content[wire_buy.TYPE],
        "shop.coterie.group_buy.state": wire_buy.format_state(BUY, PRODUCT, CARD, 7900),
        "shop.coterie.group": wire_group.format_group(GROUP.cap),
        "shop.coterie.order": wire_order.format_order(ended, ORDERS[0], link),
        "shop.coterie.request": "$hV6xNqhfwE3rkC0nSlkX4Wk2sH1ZkUEo3Ytq9vJm0aA:0",
        "shop.coterie.started": {},
    }


def marked(kind: str) -> dict[str, str]:
    """The blocks of docs/events.md that follow a comment of this kind, by the name in it."""
    return {name: block for found, name, block in MARKED.findall(EVENTS) if found == kind}


def problems(name: str, value: object) -> list[str]:
    """What is wrong with a value by the schema of that name."""
    errors = Draft202012Validator(SCHEMAS[name]).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in errors]


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and every schema inside it."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *schema.get("prefixItems", ())):
        yield from parts(inner)
    if isinstance(schema.get("items"), dict):
        yield from parts(schema["items"])


def field_table(schema: dict[str, Any]) -> str:
    """The table of docs/events.md for a schema: a row for each field, nested ones by their path."""
    rows = ["| field | type | always | meaning |", "|---|---|---|---|"]
    required = schema.get("then", schema).get("required", ())
    return "\n".join([*rows, *_rows(schema, required, "")])


def _rows(schema: dict[str, Any], required: object, path: str) -> Iterator[str]:
    assert isinstance(required, list | tuple)
    for name, field in schema["properties"].items():
        always = "yes" if name in required else ""
        yield f"| `{path}{name}` | {_type(field)} | {always} | {field['description']} |"
        inner = field.get("items") if field.get("type") == "array" else field
        if isinstance(inner, dict) and "properties" in inner:
            yield from _rows(inner, inner["required"], f"{path}{name}{'[]' if inner is not field else ''}.")


def _type(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    return {"array": "list", "object": "object"}.get(field["type"], field["type"])


# The documents


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_closed_and_explains_every_field(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"{name}.json"
    for part in parts(schema):
        assert part.get("type") != "number", "Matrix has no floats"
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
        for field in part.get("properties", {}).values():
            assert field.get("description"), f"a field of {name} is not explained"


def test_card_and_state_event_share_their_terms() -> None:
    of_card, of_state = (SCHEMAS[f"shop.coterie.group_buy.{kind}"]["properties"] for kind in ("card", "state"))
    shared = set(of_card) - {"total", "unit_price"}
    assert {name: of_card[name] for name in shared} == {name: of_state[name] for name in shared}


@pytest.mark.parametrize("name", [name for name in SCHEMAS if SCHEMAS[name].get("properties")])
def test_the_field_table_in_the_docs_is_that_of_the_schema(name: str) -> None:
    table = field_table(SCHEMAS[name])
    assert marked("fields").get(name) == table, f"docs/events.md needs after <!-- fields: {name} -->:\n\n{table}"


def test_every_schema_has_an_example_and_no_example_is_without_schema() -> None:
    assert set(marked("example")) == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_example_in_the_docs_is_what_the_service_writes(name: str) -> None:
    block = marked("example")[name]
    documented = json.loads(block.removeprefix("```json\n").removesuffix("\n```"))
    written = examples_written()[name]
    assert documented == written, f"docs/events.md needs:\n\n{json.dumps(written, indent=2, ensure_ascii=False)}"
    assert problems(name, written) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_linked_from_the_reference(name: str) -> None:
    assert f"(schemas/{name}.json)" in EVENTS


# What is really written


def ids(length: int) -> st.SearchStrategy[str]:
    return st.text(ALPHABET, min_size=length, max_size=length)


names = st.text(min_size=1, max_size=90).map(clean_name).filter(lambda name: name is not None)
links = st.sampled_from(
    ["https://shop.example", "http://shop.example:8080/a?b=c&d=%20", "https://shop.example/" + "x" * 1979]
)
currencies = st.sampled_from(sorted(list_currencies()))


@st.composite
def products(draw: st.DrawFn, currency: str) -> Product:
    name = draw(names)
    return replace(
        PRODUCT, id=ProductId(draw(ids(6))), name=name, sku=sku_from(name, frozenset()), currency=currency,
        price=draw(st.integers(1, 10**12)), link=draw(links),
    )  # fmt: skip


@st.composite
def offers(draw: st.DrawFn) -> tuple[GroupBuy, Product]:
    """An open buy with valid terms and any pledges, and its product."""
    currency = draw(currencies)
    minimums = sorted(draw(st.sets(st.integers(1, 9_999), min_size=1, max_size=10)))
    prices = draw(st.sets(st.integers(1, 10**12 // 9_999), min_size=len(minimums), max_size=len(minimums)))
    tiers = tuple(Tier(*pair) for pair in zip(minimums, sorted(prices, reverse=True), strict=True))
    cap = draw(st.none() | st.integers(minimums[-1], 10**6))
    terms = Terms(currency, tiers, NOW + draw(st.integers(1, 10**10)), draw(st.sampled_from([1, 2, 12])), cap)
    assume(check_terms(terms, NOW) is None)
    pledges = st.tuples(
        st.integers(1, 500), st.integers(1, 9_999), st.integers(0, 99), st.none() | st.sampled_from(sorted(prices))
    )
    pledged = tuple(
        Pledged(f"$pledge-{n}", Number(number), quantity, n, flex if quantity + flex <= 9_999 else 0, max_price)
        for n, (number, quantity, flex, max_price) in enumerate(
            draw(st.lists(pledges, max_size=8, unique_by=lambda pledge: pledge[0]))
        )
    )
    product = draw(products(currency))
    return GroupBuy(BuyId(draw(ids(6))), GROUP.id, product.id, terms, Number(1), NOW, pledged=pledged), product


def values(content: object) -> Iterator[object]:
    yield content
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list | tuple) else ()
    for value in inner:
        yield from values(value)


def assert_written_well(content: Any) -> None:
    """Matrix takes it, it fits into an event, and it names nobody and no pledge."""
    assert not any(isinstance(value, float) for value in values(content))
    text = json.dumps(content, allow_nan=False, ensure_ascii=False)
    assert json.loads(text) == json.loads(json.dumps(content))
    assert len(text.encode()) < LARGEST_EVENT - 4_096  # the envelope and the signatures need some
    assert "$pledge-" not in text
    assert "@rosa" not in text


@given(products("EUR") | currencies.flatmap(products))
def test_every_product_is_written_by_its_schema(product: Product) -> None:
    assert problems("shop.coterie.product", wire_product.format_product(product)) == []
    with_picture = replace(product, picture=Picture("mxc://example.org/abc", "image/png", 800, 600, 12_345))
    picture, shown = card.product_events(RoomId("!group"), with_picture, GROUP)
    assert picture.content["msgtype"] == "m.image"
    assert wire_product.TYPE not in picture.content, "the key is on the text, which every client shows"
    assert problems("shop.coterie.product", shown.content[wire_product.TYPE]) == []
    for event in (picture, shown):
        assert_written_well(event.content)


@given(offers(), st.integers(0, 10**10))
def test_every_card_and_its_edit_are_written_by_the_schema(offer: tuple[GroupBuy, Product], passed: int) -> None:
    buy, product = offer
    for status in Status:
        content = card.card_content(replace(buy, status=status), product, GROUP, NOW + passed)
        assert problems("shop.coterie.group_buy.card", content[wire_buy.TYPE]) == []
        edit = edited(CARD, content)
        assert edit["m.new_content"][wire_buy.TYPE] == content[wire_buy.TYPE]
        assert (content["msgtype"], bool(content["body"])) == ("m.notice", True)
        assert_written_well(edit)


@given(offers(), st.none() | st.just(CARD))
def test_every_state_event_is_written_by_its_schema_and_tells_no_total(
    offer: tuple[GroupBuy, Product], card_id: str | None
) -> None:
    buy, product = offer
    clearing = buy.clearing()
    for status in Status:
        unit_price = clearing.unit_price if clearing else None
        content = wire_buy.format_state(replace(buy, status=status), product, card_id, unit_price)
        assert problems("shop.coterie.group_buy.state", content) == []
        assert "total" not in content
        assert_written_well(content)
    assert problems("shop.coterie.group_buy.state", {}) == []


@given(offers(), st.none() | st.just("https://pay.example/{reference}?m={amount_minor}&c={currency}"), st.data())
def test_every_result_and_receipt_is_written_by_its_schema(
    offer: tuple[GroupBuy, Product], template: str | None, data: st.DataObject
) -> None:
    buy, product = offer
    buy = evolve(buy, ClosingBegun(buy.terms.deadline_at))
    many = 2 * len(buy.numbers())
    fresh = data.draw(st.lists(ids(8), min_size=many, max_size=many, unique=True))
    facts = decide(buy, Settle(fresh))
    assert not isinstance(facts, Refusal)
    [fact] = facts
    after = evolve(buy, fact)
    room_id = RoomId("!group")
    if not isinstance(fact, Succeeded):
        message: SendEvent = news.failed(room_id, after, product)
        assert set(message.content[wire_buy.TYPE]) == {"version", "id", "status"}
    else:
        message = news.succeeded(room_id, after, product, GROUP, fact)
        lines = message.content[wire_buy.TYPE]["lines"]
        assert sum(units for _, units in lines) == fact.clearing.total
        for order in fact.orders:
            link = news.purchase_link(template, after, product, order)
            told = news.receipt(MEMBER, after, product, GROUP, order, order.units, link)
            key = told.content[wire_order.TYPE]
            assert problems("shop.coterie.order", key) == []
            assert [key["line"], key["units"]] in lines
            assert_written_well(told.content)
    assert problems("shop.coterie.group_buy.result", message.content[wire_buy.TYPE]) == []
    assert_written_well(message.content)


def test_a_result_with_as_many_orders_as_a_group_can_have_fits_into_one_event() -> None:
    lines = [(f"{n:08d}".translate(str.maketrans("01", "23")), 9_999) for n in range(500)]
    content = wire_buy.format_result(replace(BUY, status=Status.SUCCEEDED), lines, 7900)
    assert problems("shop.coterie.group_buy.result", content) == []
    assert_written_well(content)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_price_without_lines_and_lines_without_a_price_are_no_result(status: str) -> None:
    head = {"version": 1, "id": "gatw5j", "status": status}
    assert problems("shop.coterie.group_buy.result", head | {"unit_price": 7900}) != []
    assert problems("shop.coterie.group_buy.result", head | {"lines": []}) != []


@given(st.integers(2, 500))
def test_every_group_is_marked_by_its_schema(cap: int) -> None:
    request = building.group_room(replace(GROUP, cap=cap))
    [marker] = [state for state in request["initial_state"] if state["type"] == wire_group.TYPE]
    assert marker["state_key"] == ""
    assert problems("shop.coterie.group", marker["content"]) == []


@pytest.mark.parametrize("name", [name for name in SCHEMAS if SCHEMAS[name]["type"] == "object"])
def test_what_is_unknown_or_no_integer_is_not_what_the_service_writes(name: str) -> None:
    written = examples_written()[name]
    assert problems(name, written | {"extra": 1}) != []
    for field, value in written.items():
        if isinstance(value, int):
            assert problems(name, written | {field: value + 0.5}) != []
