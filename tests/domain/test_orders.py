"""What members owe at a buy's success, and who gets what of a short delivery, against worked cases."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as draw
from hypothesis import strategies as st

from appservice.domain.clearing import Tier
from appservice.domain.fulfilment import Rule, redistribute
from appservice.domain.ids import GroupId, Number, OrderId
from appservice.domain.money import Tax, share
from appservice.domain.order import Order
from appservice.domain.pledger import Pledger
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import PAY_BY, a_buy, add, after, cleared

DATA = Path(__file__).parents[1] / "data"
ORDERS = json.loads((DATA / "orders.json").read_text())
DELIVERIES = json.loads((DATA / "delivery.json").read_text())


@pytest.mark.parametrize("case", ORDERS, ids=lambda case: case["name"])
def test_orders_vector(case: dict[str, Any]) -> None:
    tax = Tax(**case["tax"]) if case["tax"] else None
    tiers = (Tier(1, case["unit_price"]),)
    buy = a_buy(currency=case["currency"], tiers=tiers, shared_cost=case["shared_cost"], tax=tax)
    pledges = [add(Pledger(GroupId("g"), Number(n)), units, n) for n, units in enumerate(case["units"])]
    orders = cleared(after(buy, *pledges)).orders
    got = {name: [getattr(order, name) for order in orders] for name in ("shared", "tax", "total")}
    assert got == case["expect"]
    assert all(order.pay_by == PAY_BY and order.arrived is None for order in orders)


def orders_of(parcels: list[dict[str, int]]) -> list[Order]:
    return [
        Order(OrderId(f"o{n}"), f"l{n}", Pledger(GroupId("g"), Number(n)), tuple(parcel.items()), 100, 0, 0, 0, PAY_BY)
        for n, parcel in enumerate(parcels)
    ]


@pytest.mark.parametrize("case", DELIVERIES, ids=lambda case: case["name"])
def test_delivery_vector(case: dict[str, Any]) -> None:
    orders = orders_of(case["orders"])
    by_hand = {OrderId(id): tuple(units.items()) for id, units in case.get("by_hand", {}).items()}
    got = redistribute(orders, case["arrived"], Rule(case["rule"]), by_hand)
    if "refused" in case:
        assert got == Refusal(Reason.BAD_SHARES, case["refused"])
    else:
        assert not isinstance(got, Refusal)
        assert [dict(got[order.id]) for order in orders] == case["expect"]


parcels = st.lists(st.dictionaries(st.sampled_from("SML"), st.integers(1, 30), min_size=1), min_size=1, max_size=8)


@draw(parcels, st.dictionaries(st.sampled_from("SML"), st.integers(0, 120)), st.sampled_from(list(Rule)[:2]))
def test_shares_sum_to_what_arrived_and_never_exceed_what_was_ordered(
    parcels: list[dict[str, int]], arrived: dict[str, int], rule: Rule
) -> None:
    orders = orders_of(parcels)
    totals = {variant: sum(parcel.get(variant, 0) for parcel in parcels) for variant in "SML"}
    here = {variant: units for variant, units in arrived.items() if totals[variant]}
    got = redistribute(orders, here, rule)
    assert not isinstance(got, Refusal) and set(got) == {order.id for order in orders}
    for variant, ordered in totals.items():
        assert sum(dict(units).get(variant, 0) for units in got.values()) == min(ordered, here.get(variant, 0))
    for order in orders:
        assert all(0 < units <= dict(order.ordered)[variant] for variant, units in got[order.id])
    if rule is Rule.PRO_RATA:
        for order, variant in [(each, variant) for each in orders for variant, _ in each.ordered]:
            quota = Fraction(min(totals[variant], here.get(variant, 0)) * dict(order.ordered)[variant], totals[variant])
            assert abs(dict(got[order.id]).get(variant, 0) - quota) < 1
    assert redistribute(orders, here, Rule.BY_HAND, got) == got


@draw(st.integers(0, 10**12), st.lists(st.integers(0, 9999), max_size=20))
def test_shares_sum_to_the_whole_and_are_less_than_one_unit_off(amount: int, weights: list[int]) -> None:
    parts, whole = share(amount, weights), sum(weights)
    assert sum(parts) == (amount if whole else 0) and len(parts) == len(weights)
    if whole:
        assert all(abs(part - Fraction(amount * w, whole)) < 1 for part, w in zip(parts, weights, strict=True))
        assert all(part == 0 for part, w in zip(parts, weights, strict=True) if w == 0)


@draw(st.integers(0, 10**13), st.integers(0, 10_000), st.booleans())
def test_tax_is_the_nearest_whole_amount_and_the_upper_where_two_are_as_near(
    goods: int, rate: int, inclusive: bool
) -> None:
    exact = Fraction(goods * rate, 10_000 + (rate if inclusive else 0))
    tax = Tax(rate, inclusive)
    assert Fraction(-1, 2) < tax.of(goods) - exact <= Fraction(1, 2)
    assert tax.on_top(goods) == (0 if inclusive else tax.of(goods))
