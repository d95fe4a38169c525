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
from appservice.domain.fulfilment import begin
from appservice.domain.group import Group
from appservice.domain.group_buy import (
    MOST_UNITS,
    ClosingBegun,
    GroupBuy,
    Order,
    Pledged,
    Pledger,
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
from appservice.domain.money import Tax
from appservice.domain.product import Picture, Product, sku_from
from appservice.domain.refusal import Reason, Refusal
from appservice.domain.text import clean_name, fold
from appservice.matrix import rooms as building
from appservice.present import card, news
from appservice.present.text import edited
from appservice.wire import group as wire_group
from appservice.wire import group_buy as wire_buy
from appservice.wire import keys as wire_keys
from appservice.wire import order as wire_order
from appservice.wire import product as wire_product
from appservice.wire import started as wire_started
from appservice.wire.content import is_storable
from appservice.wire.pledge import MoreUnits, WholePledge
from appservice.wire.pledge_event import PledgeEvent, parse_pledge_event

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
CLOSES_AT = 1_795_798_800_000
PAY_BY = CLOSES_AT + 7 * 24 * 3_600_000
TERMS = Terms("EUR", (Tier(10, 7900), Tier(25, 6900)), CLOSES_AT, cap=100, opens_at=NOW, most=20,
              variants=("Grey", "Blue"), shared_cost=4500, tax=Tax(2000))  # fmt: skip
ANA, OTTO = Pledger(GROUP.id, Number(3)), Pledger(GROUP.id, Number(4))
BUY = GroupBuy(BuyId("gatw5j"), GROUP.id, PRODUCT.id, TERMS, Number(2), NOW, announced=10,
               pledged=(Pledged("$ana", ANA, 11, 1, variant="Grey"), Pledged("$otto", OTTO, 7, 2, variant="Blue")),
               frozen=True)  # fmt: skip
ORDERS = (
    Order(OrderId("hs6rvr29"), "zcjqyx3k", ANA, (("Grey", 11),), 7900, 2750, 14483, 89650, PAY_BY),
    Order(OrderId("zddvg4p7"), "d3gnp36g", OTTO, (("Blue", 7),), 7900, 1750, 9217, 57050, PAY_BY),
)
PUBLIC = [status for status in Status if status is not Status.DRAFT]
CARD = "$GxsWgrH8NuB3QXHdfwnA6KotRG94Hcl1ahfPogdLlUk"


def examples_written() -> dict[str, Any]:
    """What the service writes for the values above, by the name of the schema."""
    ended = replace(BUY, status=Status.SUCCEEDED)
    clearing = BUY.clearing()
    assert clearing is not None
    result = news.succeeded(RoomId("!group"), ended, PRODUCT, GROUP, begin(ended, Succeeded(clearing, ORDERS)))
    link = news.purchase_link(None, ended, PRODUCT, ORDERS[0])
    return {
        "shop.coterie.product": wire_product.format_product(PRODUCT),
        "shop.coterie.group_buy.card": wire_buy.format_card(BUY, PRODUCT, clearing),
        "shop.coterie.group_buy.result": result.content[wire_buy.TYPE],
        "shop.coterie.group_buy.state": wire_buy.format_state(BUY, PRODUCT, CARD, 7900),
        "shop.coterie.group_buy.sealed": wire_buy.format_sealed_state(BUY, CARD),
        "shop.coterie.group": wire_group.format_group(GROUP.cap),
        "shop.coterie.order": wire_order.format_order(ended, ORDERS[0], link),
        "shop.coterie.request": "$hV6xNqhfwE3rkC0nSlkX4Wk2sH1ZkUEo3Ytq9vJm0aA:0",
        "shop.coterie.pledge": {
            "version": 1,
            "buy": BUY.id,
            "mode": "set",
            "units": 2,
            "variant": "Grey",
            "upto": 4,
            "max_price": 7000,
        },
        "shop.coterie.started": wire_started.format_started(NOW),
        "shop.coterie.keys": wire_keys.format_keys("COTERIE_5F00A1C2", 17),
        "shop.coterie.made_at": NOW,
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
    shared = set(of_card) - {"total", "unit_price", "status"}
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


labels = st.text(min_size=1, max_size=40).filter(lambda label: clean_name(label) == label and fold(label) != "")
options = st.fixed_dictionaries(
    {},
    optional={
        "opens_at": st.integers(0, NOW),
        "least": st.integers(1, 9_999),
        "most": st.integers(1, 9_999),
        "step": st.integers(1, 50),
        "variants": st.lists(labels, max_size=30, unique_by=fold).map(tuple),
        "shared_cost": st.integers(0, 10**12),
        "tax": st.builds(Tax, st.integers(0, 10_000), st.booleans()),
    },
)


@st.composite
def offers(draw: st.DrawFn) -> tuple[GroupBuy, Product]:
    """An open buy with valid terms and any pledges, and its product."""
    currency = draw(currencies)
    minimums = sorted(draw(st.sets(st.integers(1, 9_999), min_size=1, max_size=10)))
    prices = draw(st.sets(st.integers(1, 10**12 // 9_999), min_size=len(minimums), max_size=len(minimums)))
    tiers = tuple(Tier(*pair) for pair in zip(minimums, sorted(prices, reverse=True), strict=True))
    cap = draw(st.none() | st.integers(minimums[-1], 10**6))
    terms = Terms(currency, tiers, NOW + draw(st.integers(1, 10**10)), draw(st.sampled_from([1, 2, 12])), cap)
    terms = replace(terms, **draw(options))
    assume(check_terms(terms, NOW) is None)
    pledges = st.tuples(
        st.integers(1, 500), st.integers(1, 9_999), st.integers(0, 99), st.none() | st.sampled_from(sorted(prices)),
        st.sampled_from(terms.variants or ("",)),
    )  # fmt: skip
    pledged = tuple(
        Pledged(
            f"$pledge-{n}",
            Pledger(GROUP.id, Number(number)),
            quantity,
            n,
            flex if quantity + flex <= 9_999 else 0,
            max_price,
            variant,
        )
        for n, (number, quantity, flex, max_price, variant) in enumerate(
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
    for status in PUBLIC:
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
    for status in PUBLIC:
        unit_price = clearing.unit_price if clearing else None
        content = wire_buy.format_state(replace(buy, status=status), product, card_id, unit_price)
        assert problems("shop.coterie.group_buy.state", content) == []
        assert "total" not in content
        assert_written_well(content)
        sealed = wire_buy.format_sealed_state(replace(buy, status=status), card_id)
        assert problems("shop.coterie.group_buy.sealed", sealed) == []
        assert_written_well(sealed)
    assert problems("shop.coterie.group_buy.state", {}) == []


@given(offers(), st.none() | st.just("https://pay.example/{reference}?m={amount_minor}&c={currency}"), st.data())
def test_every_result_and_receipt_is_written_by_its_schema(
    offer: tuple[GroupBuy, Product], template: str | None, data: st.DataObject
) -> None:
    buy, product = offer
    buy = evolve(buy, ClosingBegun(buy.terms.deadline_at))
    many = 2 * len(buy.pledgers())
    fresh = data.draw(st.lists(ids(8), min_size=many, max_size=many, unique=True))
    facts = decide(buy, Settle(fresh, PAY_BY))
    assert not isinstance(facts, Refusal)
    fact = facts[0]
    after = evolve(buy, fact)
    room_id = RoomId("!group")
    if not isinstance(fact, Succeeded):
        message: SendEvent = news.failed(room_id, after, product)
        assert set(message.content[wire_buy.TYPE]) == {"version", "id", "status"}
    else:
        message = news.succeeded(room_id, after, product, GROUP, begin(after, fact))
        lines = message.content[wire_buy.TYPE]["lines"]
        assert sum(units for _, units in lines) == fact.clearing.total
        for order in fact.orders:
            link = news.purchase_link(template, after, product, order)
            told = news.receipt(MEMBER, after, product, GROUP, order, order.units, link)
            key = told.content[wire_order.TYPE]
            assert problems("shop.coterie.order", key) == []
            assert [key["line"], key["units"]] in lines
            assert sum(units for _, units in key.get("ordered", [["", order.units]])) == key["units"]
            on_top = 0 if buy.terms.tax is None or buy.terms.tax.inclusive else key.get("tax", 0)
            assert key["total"] == key["units"] * key["unit_price"] + key.get("shared", 0) + on_top
            assert_written_well(told.content)
    assert problems("shop.coterie.group_buy.result", message.content[wire_buy.TYPE]) == []
    assert_written_well(message.content)


def test_a_result_with_as_many_orders_as_a_group_can_have_fits_into_one_event() -> None:
    lines = [(f"{n:08d}".translate(str.maketrans("01", "23")), 9_999) for n in range(500)]
    content = wire_buy.format_result(replace(BUY, status=Status.SUCCEEDED), lines, 7900)
    assert problems("shop.coterie.group_buy.result", content) == []
    assert_written_well(content)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_lines_without_a_price_are_no_result(status: str) -> None:
    head = {"version": 1, "id": "gatw5j", "status": status}
    assert problems("shop.coterie.group_buy.result", head | {"lines": []}) != []


def test_what_an_offer_does_not_have_is_left_out() -> None:
    plain = replace(BUY, terms=Terms("EUR", TERMS.tiers, CLOSES_AT), pledged=())
    always = {"version", "id", "status", "product", "priceCurrency", "exponent", "tiers", "pack", "closes_at"}
    assert set(wire_buy.format_card(plain, PRODUCT, None)) == always | {"total"}
    assert set(wire_buy.format_state(plain, PRODUCT, None, None)) == always


def test_once_a_buy_has_cleared_its_state_says_succeeded_and_its_card_how_far_it_is() -> None:
    for status in PUBLIC:
        buy = replace(BUY, status=status)
        in_state = wire_buy.format_state(buy, PRODUCT, CARD, 7900)["status"]
        assert in_state == ("succeeded" if status.is_cleared else status.value)
        assert wire_buy.format_card(buy, PRODUCT, None)["status"] == status.value


# What is read: pledges by event

wrong = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({"a": 1}),
    st.floats().filter(lambda number: not number.is_integer()),  # to JSON Schema, 1.0 is an integer; not to us
)  # fmt: skip
contents = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(1) | wrong,
        "buy": ids(6) | wrong,
        "mode": st.sampled_from(["add", "set"]) | wrong,
        "units": st.integers(-1, 10_001) | wrong,
        "variant": labels | wrong,
        "upto": st.integers(-1, 10_001) | wrong,
        "max_price": st.integers(-1, 10**12 + 1) | wrong,
        "m.relates_to": st.just({"rel_type": "m.reference", "event_id": CARD}),
        "unit": st.integers(1, 5),
    },
)


def is_in_range(content: dict[str, Any]) -> bool:
    """Whether `upto` is not below `units`, and all text can be stored: what the schema cannot say."""
    text = [value for value in content.values() if isinstance(value, str)]
    return content.get("upto", MOST_UNITS) >= content["units"] and all(map(is_storable, text))


@given(contents)
def test_a_pledge_event_is_read_if_it_is_as_its_schema_says_and_else_one_wrong_field_is_named(content: Any) -> None:
    read = parse_pledge_event(content)
    if isinstance(read, Refusal):
        assert read.reason is Reason.BAD_EVENT
        assert problems("shop.coterie.pledge", content) or not is_in_range(content)
        assert read.details["field"] in {*SCHEMAS["shop.coterie.pledge"]["properties"], "unit"}
    else:
        assert problems("shop.coterie.pledge", content) == []
        assert is_in_range(content)


@pytest.mark.parametrize("field", ["version", "units", "upto", "max_price"])
@pytest.mark.parametrize("like", [float, bool, str])
def test_what_only_equals_a_number_is_none(field: str, like: type) -> None:
    whole = {"version": 1, "buy": "gatw5j", "mode": "set", "units": 1, "upto": 1, "max_price": 1}
    assert isinstance(parse_pledge_event(whole), PledgeEvent)
    refused = parse_pledge_event(whole | {field: like(1)})
    assert isinstance(refused, Refusal)
    assert refused.details == {"field": field}


@given(ids(6), st.integers(1, 9_999), st.none() | labels)
def test_adding_and_setting_are_read_as_what_the_typed_words_mean(buy_id: str, units: int, variant: str | None) -> None:
    content: dict[str, Any] = {"version": 1, "buy": buy_id, "units": units}
    if variant is not None:
        content["variant"] = variant
    add, put = (parse_pledge_event(content | {"mode": mode}) for mode in ("add", "set"))
    assert add == PledgeEvent(BuyId(buy_id), MoreUnits(units, variant))
    assert put == PledgeEvent(BuyId(buy_id), WholePledge(units, 0, None, variant))
    ranged = parse_pledge_event(content | {"mode": "set", "upto": 9_999, "max_price": 900})
    assert ranged == PledgeEvent(BuyId(buy_id), WholePledge(units, 9_999 - units, 900, variant))
    none = parse_pledge_event(content | {"mode": "set", "units": 0})
    assert none == PledgeEvent(BuyId(buy_id), WholePledge(0, 0, None, variant))
    assert parse_pledge_event(examples_written()["shop.coterie.pledge"]) == PledgeEvent(
        BUY.id, WholePledge(2, 2, 7000, "Grey")
    )


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
