"""A group buy made anew from its ledger lines alone: the same as the stored one, and its accounts are their sums."""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from appservice.actions.booking import NAMES
from appservice.domain import fulfilment, group_buy
from appservice.domain.account import statements
from appservice.domain.clearing import Clearing
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group_buy import GroupBuy, Order, Pledger, Status, Succeeded, Terms
from appservice.domain.ids import BuyId, GroupId, Number, ProductId
from appservice.store.ledger import Entry
from appservice.store.unit import Store, Unit

FACTS = {name: fact for fact, name in NAMES.items()}


def rebuilt(entries: Sequence[Entry]) -> tuple[GroupBuy, Fulfilment | None]:
    """The buy, and what followed its clearing, by the lines of its ledger and nothing else."""
    first, *rest = entries
    assert first.fact == "drafted", first
    buy = GroupBuy(
        BuyId(str(first.buy_id)), GroupId(first.group_id), ProductId(first.detail["product"]),
        read(Terms, first.detail["terms"]), Number(first.actor or 0), first.detail["at"], Status.DRAFT,
    )  # fmt: skip
    state: Fulfilment | None = None
    for fact in _facts(rest):
        if isinstance(fact, group_buy.Fact):
            buy = group_buy.evolve(buy, fact)
        if isinstance(fact, Succeeded):
            state = fulfilment.begin(buy, fact)
        elif state is not None:
            assert isinstance(fact, fulfilment.Fact), fact
            state = fulfilment.evolve(state, fact)
    return buy, state


def _facts(entries: Sequence[Entry]) -> list[Any]:
    """What the lines say has happened; the orders of a success have lines of their own after it."""
    orders = tuple(read(Order, entry.detail["order"]) for entry in entries if entry.fact == "order")
    found: list[Any] = []
    for entry in entries:
        if entry.fact == "succeeded":
            found.append(Succeeded(read(Clearing, entry.detail), orders))
        elif entry.fact not in ("order", "house"):
            kind = FACTS[entry.fact]
            by = {"by": entry.actor} if any(field.name == "by" for field in fields(kind)) else {}
            found.append(read(kind, {**entry.detail, **by}))
    return found


def read(hint: Any, value: Any) -> Any:
    """A value of a type as it was before it became JSON. Every field has to be there, and no other."""
    origin, args = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        assert set(value) == set(hints), f"{hint}: {sorted(value)}"
        return hint(**{name: read(hints[name], inner) for name, inner in value.items()})  # type: ignore[operator]
    if origin in (types.UnionType, Union):
        [kind] = [kind for kind in args if kind is not type(None)]
        return None if value is None else read(kind, value)
    if origin is tuple and args[1:] == (...,):
        return tuple(read(args[0], inner) for inner in value)
    if origin is tuple:
        return tuple(read(kind, inner) for kind, inner in zip(args, value, strict=True))
    if origin is not None:  # a mapping or a sequence
        return dict(value) if issubclass(origin, Mapping) else list(value)
    return hint(value)


def balances(entries: Sequence[Entry]) -> dict[Pledger | None, int]:
    """What the lines' amounts come to for each pledger, and under None for the house; accounts at 0 are left out."""
    found: Counter[Pledger | None] = Counter()
    for entry in entries:
        account = None if entry.number is None else Pledger(GroupId(entry.group_id), Number(entry.number))
        assert account is not None or entry.fact == "house" or entry.amount == 0, entry
        found[account] += entry.amount
    return {account: amount for account, amount in found.items() if amount}


async def assert_ledger_says_all(unit: Unit, buy_id: str) -> None:
    """The ledger alone gives what is stored of a buy, and its amounts are what the accounts say."""
    entries = await unit.ledger.of_buy(buy_id)
    stored = await unit.buys.get(buy_id)
    buy, state = rebuilt(entries)
    assert buy == stored
    assert state == await unit.orders.get(stored)
    stated = {statement.pledger: statement.balance for statement in statements(state)} if state else {}
    assert balances(entries) == {account: amount for account, amount in stated.items() if amount}
    if state is not None:
        _assert_units_add_up(entries, state)


def _assert_units_add_up(entries: Sequence[Entry], state: Fulfilment) -> None:
    """The lines from the success on count the units of live orders; those before it, the firm units pledged."""
    begun = next(place for place, entry in enumerate(entries) if entry.fact == "succeeded")
    for pledger in {order.pledger for order in state.orders}:
        theirs = [entry.units for entry in entries[begun:]
                  if (entry.group_id, entry.number) == (pledger.group_id, pledger.number)]  # fmt: skip
        assert sum(theirs) == sum(order.units for order in state.live_orders() if order.pledger == pledger)


async def assert_every_ledger_says_all(store: Store) -> int:
    """The same for every buy that there is; gives how many there are."""
    async with store.look() as unit:
        rows = await unit.buys._connection.fetch("SELECT id FROM group_buy ORDER BY id")
        for row in rows:
            await assert_ledger_says_all(unit, row["id"])
        return len(rows)
