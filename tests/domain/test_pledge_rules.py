"""Limits, variants, and pledges whose deadline was moved."""

import pytest

from appservice.domain import group_buy
from appservice.domain.group_buy import (
    MOST_UNITS,
    Confirm,
    Extend,
    GroupBuy,
    Pledger,
    Set,
    Status,
    Succeeded,
    TierReached,
    Withdraw,
    decide,
    is_waiting,
)
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import (
    ANA,
    BEN,
    DEADLINE,
    MIA,
    OTTO,
    TIERS,
    a_buy,
    add,
    after,
    given,
    put,
    refused,
    settle,
)


def shape(buy: GroupBuy) -> list[tuple[Pledger, int, int, int | None]]:
    return [(t.pledger, t.quantity, t.flex, t.max_price) for t in buy.pledged]


# Limits on a member's pledge


@pytest.mark.parametrize(
    ("request_", "reason", "details"),
    [
        (add(ANA, 2, 1), Reason.BELOW_LEAST, {"least": 3, "units": 2}),
        (add(ANA, 10, 1), Reason.ABOVE_MOST, {"most": 8, "units": 10}),
        (put(ANA, 6, 1, flex=3), Reason.ABOVE_MOST, {"most": 8, "units": 9}),
        (add(ANA, 5, 1), Reason.OFF_STEP, {"step": 2, "units": 5}),
    ],
)
def test_a_pledge_keeps_to_the_limits_that_the_terms_set(request_: Set, reason: Reason, details: dict) -> None:
    assert decide(a_buy(least=3, most=8, step=2), request_) == Refusal(reason, details)


@pytest.mark.parametrize(("quantity", "flex"), [(MOST_UNITS, 1), (9000, 1000), (3, -1), (1, MOST_UNITS)])
def test_a_range_counts_towards_the_most_that_a_pledge_may_be(quantity: int, flex: int) -> None:
    assert decide(a_buy(), put(ANA, quantity, 1, flex=flex)) == Refusal(Reason.BAD_QUANTITY, {"most": MOST_UNITS})
    assert after(a_buy(), put(ANA, 9000, 1, flex=999)).units_of(ANA) == 9000


def test_limits_are_for_the_whole_pledge_and_not_for_what_one_message_adds() -> None:
    buy = after(a_buy(least=4, most=8, step=2), add(ANA, 4, 1), add(ANA, 2, 2))
    assert buy.units_of(ANA) == 6
    assert refused(decide(buy, add(ANA, 1, 3))) is Reason.OFF_STEP
    assert refused(decide(buy, add(ANA, 4, 3))) is Reason.ABOVE_MOST
    assert refused(decide(buy, put(ANA, 2, 3))) is Reason.BELOW_LEAST
    assert after(buy, put(ANA, 8, 3)).units_of(ANA) == 8


def test_a_removed_message_is_gone_even_where_less_than_the_least_is_left() -> None:
    buy = after(a_buy(least=4), add(ANA, 4, 1), add(ANA, 1, 2), Withdraw(ANA, 5, id="$e1"))
    assert buy.units_of(ANA) == 1


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SCHEDULED])
def test_nobody_pledges_before_a_buy_is_open(status: Status) -> None:
    outcome = decide(a_buy(status, opens_at=100), add(ANA, 1, 1, received_at=200))
    assert outcome == Refusal(Reason.NOT_YET_OPEN, {"opens_at": 100})


def test_what_was_written_before_the_opening_does_not_count_though_it_is_handled_after_it() -> None:
    buy = a_buy(opens_at=100)
    assert refused(decide(buy, add(ANA, 1, 1, received_at=99))) is Reason.NOT_YET_OPEN
    assert after(buy, add(ANA, 1, 1, received_at=100)).units_of(ANA) == 1


# Variants


def kinds(buy: GroupBuy, pledger: Pledger) -> list[tuple[str, int]]:
    return [(t.variant, t.quantity) for t in buy.tranches_of(pledger)]


SIZES = {"variants": ("S", "M", "L")}


def test_a_variant_is_named_in_any_case_and_every_tranche_has_one() -> None:
    buy = after(a_buy(**SIZES), add(ANA, 2, 1, variant="s"), add(BEN, 1, 2, variant="M"))
    assert kinds(buy, ANA) == [("S", 2)] and kinds(buy, BEN) == [("M", 1)]


@pytest.mark.parametrize("variant", [None, "", "XL"])
def test_without_a_variant_that_there_is_nothing_is_pledged(variant: str | None) -> None:
    outcome = decide(a_buy(**SIZES), add(ANA, 2, 1, variant=variant))
    assert outcome == Refusal(Reason.WHICH_VARIANT, {"variants": ("S", "M", "L"), "given": variant})


def test_a_button_adds_to_the_one_variant_that_the_member_has() -> None:
    buy = after(a_buy(**SIZES), add(ANA, 2, 1, variant="M"), add(ANA, 1, 2))
    assert kinds(buy, ANA) == [("M", 2), ("M", 1)]
    buy = after(buy, add(ANA, 1, 3, variant="L"))
    assert refused(decide(buy, add(ANA, 1, 4))) is Reason.WHICH_VARIANT
    assert refused(decide(buy, put(ANA, 1, 4))) is Reason.WHICH_VARIANT


def test_a_buy_without_variants_takes_none() -> None:
    assert decide(a_buy(), add(ANA, 1, 1, variant="S")) == Refusal(Reason.NO_VARIANTS, {"given": "S"})


def test_setting_one_variant_keeps_the_others_while_the_maximum_is_for_the_whole_pledge() -> None:
    buy = after(a_buy(**SIZES), add(ANA, 2, 1, variant="S"), add(ANA, 3, 2, variant="M"))
    buy = after(buy, put(ANA, 1, 3, flex=2, max_price=7500, variant="M"))
    assert kinds(buy, ANA) == [("S", 2), ("M", 1)]
    assert shape(buy) == [(ANA, 2, 0, 7500), (ANA, 1, 2, 7500)], "what is flexible is of the variant that was named"
    assert kinds(after(buy, put(ANA, 4, 4, variant="S")), ANA) == [("S", 2), ("M", 1), ("S", 2)]


def test_one_variant_of_several_can_be_set_to_nothing_but_not_the_last() -> None:
    buy = after(a_buy(**SIZES), add(ANA, 2, 1, variant="S"), add(ANA, 3, 2, variant="M"))
    buy = after(buy, put(ANA, 0, 3, variant="S"))
    assert kinds(buy, ANA) == [("M", 3)]
    assert refused(decide(buy, put(ANA, 0, 4, variant="M"))) is Reason.BAD_QUANTITY
    assert refused(decide(buy, put(ANA, 0, 4, variant="L"))) is Reason.BAD_QUANTITY


def test_an_order_says_how_many_of_each_variant() -> None:
    buy = after(a_buy(cap=12, **SIZES), add(ANA, 5, 1, variant="L"), add(BEN, 4, 2, variant="S"))
    buy = after(buy, add(ANA, 2, 3, variant="S"), add(ANA, 3, 4, variant="L"))
    [succeeded] = [fact for fact in given(buy, settle(buy)) if isinstance(fact, Succeeded)]
    assert [(o.pledger, o.ordered) for o in succeeded.orders] == [(ANA, (("L", 6), ("S", 2))), (BEN, (("S", 4),))]


# A moved deadline


def extended() -> GroupBuy:
    buy = after(a_buy(), add(ANA, 9, 1), put(BEN, 4, 2, max_price=7900), add(BEN, 1, 3), add(OTTO, 2, 4))
    return after(buy, Extend(DEADLINE + 1, 5))


def test_extending_suspends_conditional_pledges_until_their_owners_agree() -> None:
    buy = extended()
    assert buy.suspended() == [BEN]
    clearing = buy.clearing()
    assert clearing is not None and clearing.total == 11 and buy.units_of(BEN) == 5
    assert is_waiting(buy, BEN) and not is_waiting(buy, ANA)
    assert is_waiting(after(buy, Withdraw(ANA, 5)), BEN)
    buy = after(buy, Confirm(BEN, 6))
    clearing = buy.clearing()
    assert clearing is not None and clearing.total == 16 and not buy.suspended()
    assert [t.position for t in buy.pledged] == [1, 2, 3, 4]
    assert refused(decide(buy, Confirm(BEN, 7))) is Reason.NOTHING_SUSPENDED


@pytest.mark.parametrize("request_", [add(BEN, 1, 5), put(BEN, 6, 5, max_price=7900), put(BEN, 2, 5, max_price=7900)])
def test_who_adds_or_sets_units_agrees_to_the_new_deadline_too(request_: group_buy.Request) -> None:
    assert after(extended(), request_).suspended() == []


def test_a_pledge_that_nobody_confirmed_is_in_no_order_and_on_no_waiting_list() -> None:
    buy = extended()
    [succeeded] = [fact for fact in given(buy, settle(buy)) if isinstance(fact, Succeeded)]
    assert [order.pledger for order in succeeded.orders] == [ANA, OTTO]
    assert not succeeded.clearing.cut


def test_confirming_can_reach_a_tier() -> None:
    buy = after(a_buy(), add(ANA, 9, 1), put(BEN, 4, 2, max_price=7000), Extend(DEADLINE + 1, 5), put(MIA, 8, 3))
    buy = after(buy, add(OTTO, 4, 4))
    assert buy.announced == 10
    assert given(buy, Confirm(BEN, 6))[-1] == TierReached(TIERS[1])


def test_it_is_too_late_to_agree_after_the_deadline() -> None:
    assert refused(decide(extended(), Confirm(BEN, DEADLINE + 1))) is Reason.TOO_LATE
