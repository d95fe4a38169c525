"""How long it takes to clear a group buy, and to decide one pledge in it.

    python -m bench.clearing [tranches]

Pure and local. Prints the best of 50 runs in milliseconds; docs want 1,000 tranches cleared in under 10.
"""

import sys
import time
from collections.abc import Callable

from appservice.domain.clearing import Tier, Tranche, clear
from appservice.domain.group_buy import Add, GroupBuy, Pledged, Pledger, Terms, decide
from appservice.domain.ids import BuyId, GroupId, Number, ProductId

TIERS = (Tier(10, 1000), Tier(500, 900), Tier(4000, 750))


def best_of(work: Callable[[], object], runs: int = 50) -> float:
    """The shortest of some runs, in milliseconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def main(count: int) -> None:
    tranches = [Tranche(f"t{n}", n % 5 + 1, n % 7, 800 if n % 3 == 0 else None) for n in range(count)]
    print(f"clear, {count} tranches: {best_of(lambda: clear(TIERS, tranches, pack=4, cap=3000)):.2f} ms")
    terms = Terms("EUR", TIERS, 1000, pack=4, cap=4000)
    people = [Pledger(GroupId("g"), Number(n % 200)) for n in range(count)]
    pledged = tuple(Pledged(t.id, people[n], t.quantity, n, 0, t.max_price) for n, t in enumerate(tranches))
    buy = GroupBuy(BuyId("b"), GroupId("g"), ProductId("p"), terms, Number(1), 0, pledged=pledged)
    add = Add(people[0], 1, "new", count, 5)
    print(f"decide one pledge among {count} tranches: {best_of(lambda: decide(buy, add)):.2f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
