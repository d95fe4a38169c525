"""A concierge's record, read from the ledger: the group buys that they opened, and how soon money went back."""

from collections.abc import Iterable
from dataclasses import dataclass

from appservice.domain import sale
from appservice.domain.entry import Entry
from appservice.domain.figures import LEAST, nearest_rank

FACTS = (*sale.FACTS, "succeeded", "cancelled")
"""The facts that are read of each buy."""


@dataclass(frozen=True, slots=True)
class Record:
    """`kept` buys succeeded and were not called off, `cancelled` ones were. `refund_ms` is the median time from an
    order's end or shortening to its refund, None where fewer than five members got one; `owes`: some refund is still to
    be made. `answer_ms` is their usual answer time in service hours."""

    kept: int
    cancelled: int
    refund_ms: int | None
    owes: bool
    answer_ms: int | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to say."""
        return not (self.kept or self.cancelled or self.owes) and self.refund_ms is None and self.answer_ms is None


def record(entries: Iterable[Entry], answer_ms: int | None) -> Record:
    """Give the record that the lines of a concierge's buys come to, in the order of the ledger."""
    lines = list(entries)
    cancelled = {one.buy_id for one in lines if one.fact == "cancelled"}
    succeeded = {one.buy_id for one in lines if one.fact == "succeeded"}
    orders = sale.read(lines)
    refunded = [one for one in orders if one.refunded]
    times = [took for one in refunded for took in one.refunded]
    is_figure = len({one.number for one in refunded}) >= LEAST
    return Record(
        kept=len(succeeded - cancelled),
        cancelled=len(cancelled),
        refund_ms=nearest_rank(times, 50) if is_figure else None,
        owes=any(one.charged < one.received for one in orders),
        answer_ms=answer_ms,
    )
