"""A group buy, its people and what they ask for, in few words."""

from dataclasses import replace
from typing import Any

from appservice.domain import fulfilment, group_buy
from appservice.domain.clearing import Tier
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group_buy import Add, GroupBuy, Pledger, Set, Settle, Succeeded, Terms
from appservice.domain.ids import BuyId, GroupId, Number, ProductId
from appservice.domain.refusal import Reason, Refusal

DEADLINE = 1_000_000
PAY_BY = 2_000_000
TIERS = (Tier(10, 7900), Tier(25, 6900))
ANA, BEN, OTTO = (Pledger(GroupId("g"), Number(n)) for n in (1, 2, 3))
MIA = Pledger(GroupId("h"), Number(1))
"""Of another group in which the buy is shown, with the number that Ana has in hers."""
BOSS = Number(9)


def a_buy(status: group_buy.Status = group_buy.Status.OPEN, **terms: Any) -> GroupBuy:
    whole = replace(Terms("EUR", TIERS, DEADLINE), **terms)
    return GroupBuy(BuyId("b"), GroupId("g"), ProductId("p"), whole, BOSS, 0, status)


def after(buy: GroupBuy, *requests: group_buy.Request) -> GroupBuy:
    for request in requests:
        buy = replay(buy, given(buy, request))
    return buy


def given(buy: GroupBuy, request: group_buy.Request) -> list[group_buy.Fact]:
    facts = group_buy.decide(buy, request)
    assert not isinstance(facts, Refusal), facts
    return facts


def replay(buy: GroupBuy, facts: list[group_buy.Fact]) -> GroupBuy:
    for fact in facts:
        buy = group_buy.evolve(buy, fact)
    return buy


def refused(outcome: object) -> Reason:
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


def add(pledger: Pledger, units: int, position: int, received_at: int = 5, variant: str | None = None) -> Add:
    return Add(pledger, units, f"$e{position}", position, received_at, variant)


def put(
    pledger: Pledger, quantity: int, position: int, flex: int = 0, max_price: int | None = None,
    variant: str | None = None, received_at: int = 5,
) -> Set:  # fmt: skip
    return Set(pledger, quantity, flex, max_price, f"$e{position}", position, received_at, variant)


def settle(buy: GroupBuy) -> Settle:
    return Settle([f"{'ol'[n % 2]}{n // 2}" for n in range(2 * len(buy.pledgers()))], PAY_BY)


def cleared(buy: GroupBuy) -> Fulfilment:
    """The state after a buy's success; its orders have the ids o0, o1, …"""
    facts = given(buy, settle(buy))
    [success] = [fact for fact in facts if isinstance(fact, Succeeded)]
    return fulfilment.begin(buy, success)


def went_on(state: Fulfilment, *requests: fulfilment.Request) -> Fulfilment:
    for request in requests:
        for fact in facts_of(state, request):
            state = fulfilment.evolve(state, fact)
    return state


def facts_of(state: Fulfilment, request: fulfilment.Request) -> list[fulfilment.Fact]:
    facts = fulfilment.decide(state, request)
    assert not isinstance(facts, Refusal), facts
    return facts
