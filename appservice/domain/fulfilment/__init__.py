"""A group buy after its clearing: orders, payments, the waitlist, what is short, what arrived.

`begin` gives the state from which `decide` and `evolve` go on. The price never rises from here: whoever takes units
later pays the one price, and nobody's share of the shared cost grows. Advance and Cancel are given to this `decide`
once there are orders; their facts, StatusChanged and Cancelled, go to `group_buy.evolve` as well.
"""

from appservice.domain.fulfilment.deciding import Request, decide
from appservice.domain.fulfilment.evolving import evolve
from appservice.domain.fulfilment.fact import (
    Absorbed,
    AtRisk,
    Declined,
    Delivered,
    Dropped,
    Fact,
    HouseTook,
    Lapsed,
    Offered,
    OrderArrived,
    OrderCancelled,
    OrderPaid,
    PaymentRecorded,
    PaymentReversed,
    Refunded,
    Reminded,
    RiskEnded,
    Taken,
    WaitingAdded,
)
from appservice.domain.fulfilment.request import (
    Absorb,
    Accept,
    Decline,
    Deliver,
    Drop,
    HouseTake,
    Lapse,
    Offer,
    Pay,
    Refund,
    Remind,
    Reverse,
    Wait,
)
from appservice.domain.fulfilment.sharing import Rule, redistribute
from appservice.domain.fulfilment.state import Fulfilment, Payment, Waiting, begin

__all__ = [
    "Absorb",
    "Absorbed",
    "Accept",
    "AtRisk",
    "Decline",
    "Declined",
    "Deliver",
    "Delivered",
    "Drop",
    "Dropped",
    "Fact",
    "Fulfilment",
    "HouseTake",
    "HouseTook",
    "Lapse",
    "Lapsed",
    "Offer",
    "Offered",
    "OrderArrived",
    "OrderCancelled",
    "OrderPaid",
    "Pay",
    "Payment",
    "PaymentRecorded",
    "PaymentReversed",
    "Refund",
    "Refunded",
    "Remind",
    "Reminded",
    "Request",
    "Reverse",
    "RiskEnded",
    "Rule",
    "Taken",
    "Wait",
    "Waiting",
    "WaitingAdded",
    "begin",
    "decide",
    "evolve",
    "redistribute",
]
