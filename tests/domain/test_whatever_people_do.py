"""What holds of a group buy whatever members ask for, and in whatever order."""

from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st

from appservice.domain import group_buy
from appservice.domain.group_buy import (
    Confirm,
    Extend,
    Failed,
    GroupBuy,
    Pledger,
    Succeeded,
    TrancheAdded,
    Withdraw,
    decide,
)
from appservice.domain.refusal import Refusal
from tests.domain.given import (
    ANA,
    BEN,
    MIA,
    OTTO,
    a_buy,
    add,
    after,
    given,
    put,
    replay,
    settle,
)

people = st.sampled_from([ANA, BEN, OTTO, MIA])
options = st.none() | st.sampled_from([6900, 7900])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), people, st.integers(1, 12)),
        st.tuples(st.just("set"), people, st.integers(1, 12), st.integers(0, 4), options),
        st.tuples(st.just("withdraw"), people),
        st.tuples(st.just("redact"), people, st.integers(0, 20)),
        st.tuples(st.just("extend")),
        st.tuples(st.just("confirm"), people),
    ),
    max_size=20,
)


def request_for(step: tuple, position: int, buy: GroupBuy) -> group_buy.Request:
    match step:
        case ("add", pledger, units):
            return add(pledger, units, position)
        case ("set", pledger, quantity, flex, max_price):
            return put(pledger, quantity, position, flex, max_price)
        case ("withdraw", pledger):
            return Withdraw(pledger, 5)
        case ("redact", pledger, back):
            return Withdraw(pledger, 5, id=f"$e{back}")
        case ("confirm", pledger):
            return Confirm(pledger, 5)
        case _:
            return Extend(buy.terms.deadline_at + 1, 5)


@settings(deadline=None)
@draw(steps, st.sampled_from([1, 4]), st.none() | st.integers(25, 40))
def test_whatever_people_do_the_pledges_stay_sound(steps: list[tuple], pack: int, cap: int | None) -> None:
    first = buy = a_buy(pack=pack, cap=None if cap is None else cap // pack * pack + pack)
    expected: dict[Pledger, int] = {}
    history: list[group_buy.Fact] = []
    for position, step in enumerate(steps):
        request = request_for(step, position, buy)
        before, facts = buy, decide(buy, request)
        if isinstance(facts, Refusal):
            assert isinstance(request, Withdraw | Confirm)
            continue
        history += facts
        buy = replay(buy, facts)
        match step:
            case ("add", pledger, units):
                expected[pledger] = expected.get(pledger, 0) + units
            case ("set", pledger, quantity, *_):
                expected[pledger] = quantity
            case ("withdraw", pledger):
                expected[pledger] = 0
            case ("redact", pledger, _):
                expected[pledger] = buy.units_of(pledger)
                assert before.units_of(pledger) > buy.units_of(pledger)
        added = {fact.tranche.id for fact in facts if isinstance(fact, TrancheAdded)}
        assert added <= {f"$e{position}"}
        assert all(buy.units_of(person) == expected.get(person, 0) for person in (ANA, BEN, OTTO, MIA))
        assert all(t.quantity > 0 for t in buy.pledged)
        for person in buy.pledgers():
            mine = buy.tranches_of(person)
            assert len({(t.max_price, t.suspended) for t in mine}) == 1
            assert sum(t.flex > 0 for t in mine) <= 1
            assert mine[0].max_price is not None or not mine[0].suspended
    assert replay(first, history) == buy
    _settled_as_cleared(buy)


def _settled_as_cleared(buy: GroupBuy) -> None:
    facts = given(buy, settle(buy))
    clearing = buy.clearing()
    if clearing is None:
        assert facts[-1] == Failed()
        return
    succeeded = facts[-2]
    assert isinstance(succeeded, Succeeded)
    assert sum(order.units for order in succeeded.orders) == clearing.total
    for order in succeeded.orders:
        mine = buy.tranches_of(order.pledger)
        assert order.total == order.units * clearing.unit_price
        assert order.units <= sum(t.quantity + t.flex for t in mine)
        assert all(t.max_price is None or clearing.unit_price <= t.max_price for t in mine)
        assert not any(t.suspended for t in mine)


@settings(deadline=None)
@draw(steps, people, st.integers(1, 12), st.sampled_from([1, 4]))
def test_another_pledge_never_raises_the_price_nor_fails_the_buy(
    steps: list[tuple], person: Pledger, units: int, pack: int
) -> None:
    buy = a_buy(pack=pack, cap=40)
    for position, step in enumerate(steps):
        facts = decide(buy, request_for(step, position, buy))
        buy = buy if isinstance(facts, Refusal) else replay(buy, facts)
    before, then = buy.clearing(), after(buy, add(person, units, 99)).clearing()
    if before is not None:
        assert then is not None and then.unit_price <= before.unit_price


@draw(st.lists(st.tuples(people, st.integers(1, 9), st.integers(1, 3)), max_size=8), st.randoms(use_true_random=False))
def test_tranches_of_the_same_moment_stand_in_one_order_however_they_are_handled(rows: list, chance: object) -> None:
    adds = [group_buy.Add(person, n, f"$e{i}", position, 5) for i, (person, n, position) in enumerate(rows)]
    shuffled = list(adds)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = after(a_buy(cap=25), *adds), after(a_buy(cap=25), *shuffled)
    assert one.pledged == other.pledged and one.clearing() == other.clearing()
