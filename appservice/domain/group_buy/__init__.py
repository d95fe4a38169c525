"""A group buy up to its clearing: its terms, who pledged what, where it stands.

`decide` gives the facts that a request leads to, or a refusal; `evolve` gives the buy after one fact. A pledge is in
time if it was journaled before the deadline, whatever the time at which it is handled. What follows the clearing
(orders, payments, the waitlist, short delivery) is domain.fulfilment.
"""

from appservice.domain.group_buy.deciding import Request, decide
from appservice.domain.group_buy.evolving import evolve
from appservice.domain.group_buy.fact import (
    Cancelled,
    ClosingBegun,
    Confirmed,
    Extended,
    Fact,
    Failed,
    GraceGiven,
    Opened,
    OptionsChanged,
    Scheduled,
    Shortened,
    StatusChanged,
    Succeeded,
    TermsImproved,
    TierReached,
    TrancheAdded,
    UnitsWithdrawn,
)
from appservice.domain.group_buy.request import (
    Add,
    Advance,
    Cancel,
    Close,
    Confirm,
    Extend,
    Grace,
    Improve,
    Open,
    Schedule,
    Set,
    Settle,
    Shorten,
    Withdraw,
)
from appservice.domain.group_buy.state import GroupBuy, Pledged, is_waiting, units_by_pledger, waiting_by_pledger
from appservice.domain.group_buy.status import TRANSITIONS, Status
from appservice.domain.group_buy.terms import MOST_TIERS, MOST_UNITS, MOST_VARIANTS, Terms, check_terms
from appservice.domain.order import Order, OrderStatus
from appservice.domain.pledger import Pledger

__all__ = [
    "MOST_TIERS",
    "MOST_UNITS",
    "MOST_VARIANTS",
    "TRANSITIONS",
    "Add",
    "Advance",
    "Cancel",
    "Cancelled",
    "Close",
    "ClosingBegun",
    "Confirm",
    "Confirmed",
    "Extend",
    "Extended",
    "Fact",
    "Failed",
    "Grace",
    "GraceGiven",
    "GroupBuy",
    "Improve",
    "Open",
    "Opened",
    "OptionsChanged",
    "Order",
    "OrderStatus",
    "Pledged",
    "Pledger",
    "Request",
    "Schedule",
    "Scheduled",
    "Set",
    "Settle",
    "Shorten",
    "Shortened",
    "Status",
    "StatusChanged",
    "Succeeded",
    "Terms",
    "TermsImproved",
    "TierReached",
    "TrancheAdded",
    "UnitsWithdrawn",
    "Withdraw",
    "check_terms",
    "decide",
    "evolve",
    "is_waiting",
    "units_by_pledger",
    "waiting_by_pledger",
]
