"""Clearing against the vectors, and the properties that hold for every buy."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.clearing import Clearing, Tier, Tranche, clear, units_short_of

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "clearing.json").read_text())


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_vector(case: dict) -> None:
    tiers = [Tier(**tier) for tier in case["tiers"]]
    tranches = [Tranche(**tranche) for tranche in case["tranches"]]
    expect = case["expect"]
    got = clear(tiers, tranches, pack=case["pack"], cap=case["cap"])
    if expect is None:
        assert got is None
        return
    assert got == Clearing(
        unit_price=expect["unit_price"],
        minimum=expect["minimum"],
        total=expect["total"],
        units=expect["units"],
        cut=expect["cut"],
        left_out=tuple(expect["left_out"]),
    )


def test_all_the_vectors_are_here() -> None:
    assert len(VECTORS) == 62


@st.composite
def offers(draw: st.DrawFn) -> tuple[list[Tier], int, int | None]:
    minimums = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=4)))
    prices = sorted(draw(st.sets(st.integers(1, 99), min_size=len(minimums), max_size=len(minimums))), reverse=True)
    pack = draw(st.sampled_from([1, 2, 3, 4, 6, 12]))
    cap = draw(st.none() | st.integers(1, 100))
    return [Tier(m, p) for m, p in zip(minimums, prices, strict=True)], pack, cap


tranche_lists = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 6), st.none() | st.integers(1, 99)), max_size=12
).map(lambda rows: [Tranche(f"t{n}", *row) for n, row in enumerate(rows)])


@given(offers(), tranche_lists)
def test_total_is_a_pack_multiple_within_the_cap_and_nobody_gets_more_than_asked(offer, tranches) -> None:
    tiers, pack, cap = offer
    got = clear(tiers, tranches, pack=pack, cap=cap)
    if got is None:
        return
    by_id = {tranche.id: tranche for tranche in tranches}
    assert got.total == sum(got.units.values()) > 0
    assert got.total % pack == 0 and got.total >= got.minimum
    assert cap is None or got.total <= cap
    assert set(got.units) | set(got.left_out) == set(by_id)
    assert not set(got.units) & set(got.left_out)
    for tranche_id, units in got.units.items():
        tranche = by_id[tranche_id]
        assert 0 <= units <= tranche.quantity + tranche.flex
        assert tranche.allows(got.unit_price)
        assert units + got.cut.get(tranche_id, 0) >= tranche.quantity


@given(offers(), tranche_lists, st.integers(1, 15), st.integers(0, 6), st.none() | st.integers(1, 99))
def test_adding_a_pledge_never_raises_the_price_nor_fails_the_buy(offer, tranches, quantity, flex, limit) -> None:
    tiers, pack, cap = offer
    before = clear(tiers, tranches, pack=pack, cap=cap)
    after = clear(tiers, [*tranches, Tranche("new", quantity, flex, limit)], pack=pack, cap=cap)
    if before is not None:
        assert after is not None
        assert after.unit_price <= before.unit_price


@given(offers(), tranche_lists)
def test_flexible_units_are_handed_out_one_by_one_in_pledge_order(offer, tranches) -> None:
    tiers, pack, cap = offer
    got = clear(tiers, tranches, pack=pack, cap=cap)
    if got is None or got.cut:
        return
    inside = [tranche for tranche in tranches if tranche.id in got.units]
    slow = {tranche.id: tranche.quantity for tranche in inside}
    left = got.total - sum(slow.values())
    while left:
        for tranche in inside:
            if left and slow[tranche.id] < tranche.quantity + tranche.flex:
                slow[tranche.id] += 1
                left -= 1
    assert got.units == slow


@given(offers(), tranche_lists)
def test_the_missing_units_are_just_what_a_tier_needs(offer, tranches) -> None:
    tiers, pack, _ = offer
    for tier in tiers:
        short = units_short_of(tier, tranches, pack=pack)
        reached = clear([tier], tranches, pack=pack)
        assert (reached is not None) == (short == 0)
        if short:
            assert clear([tier], [*tranches, Tranche("new", short)], pack=pack) is not None
            if short > 1:
                assert clear([tier], [*tranches, Tranche("new", short - 1)], pack=pack) is None


@given(offers(), tranche_lists, st.integers(0, 12))
def test_a_pledge_of_any_date_never_raises_the_price_either(offer, tranches, place) -> None:
    tiers, pack, cap = offer
    before = clear(tiers, tranches, pack=pack, cap=cap)
    older = [*tranches[:place], Tranche("new", 3, 1), *tranches[place:]]
    after = clear(tiers, older, pack=pack, cap=cap)
    if before is not None:
        assert after is not None
        assert after.unit_price <= before.unit_price


@given(offers(), tranche_lists, st.randoms(use_true_random=False))
def test_the_order_of_pledges_decides_who_is_in_and_never_the_price_or_the_total(offer, tranches, chance) -> None:
    tiers, pack, cap = offer
    shuffled = list(tranches)
    chance.shuffle(shuffled)
    one, other = (clear(tiers, each, pack=pack, cap=cap) for each in (tranches, shuffled))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.unit_price, one.total) == (other.unit_price, other.total)
