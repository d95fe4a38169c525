"""What Stripe's signed events say of orders of ours, less all that they say of people."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TYPE = "coterie.stripe"
"""The type under which a report is journaled."""
ORDER, BUY, CHECKOUT = "coterie_order", "coterie_buy", "coterie_checkout"
"""What we write into the metadata of a session and of its payment: by these we know our own."""
LARGEST = 2**53


class Kind(StrEnum):
    """What has happened. UNDER_WAY: a way of paying that takes days was chosen, FAILED: it came to nothing."""

    PAID = "paid"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Report:
    """One event. `payment` is the payment intent's id; `amount` is as Stripe counts, of REFUNDED all that went back of
    this payment so far. `order_id`, `buy_id` and `checkout_id` are "" where Stripe does not say them."""

    kind: Kind
    id: str
    payment: str
    amount: int
    currency: str
    order_id: str = ""
    buy_id: str = ""
    checkout_id: str = ""
    dispute_id: str = ""


_KINDS = {
    "checkout.session.async_payment_succeeded": Kind.PAID,
    "checkout.session.async_payment_failed": Kind.FAILED,
    "charge.refunded": Kind.REFUNDED,
    "charge.dispute.created": Kind.DISPUTED,
}
_AMOUNTS = {Kind.REFUNDED: "amount_refunded", Kind.DISPUTED: "amount"}


def parse_report(event: Mapping[str, Any]) -> Report | None:
    """Read an event whose signature was found right; None where it says nothing that we need to know.

    Raises ValueError for one that ought to, but lacks what its kind has.
    """
    id, data = event.get("id"), event.get("data")
    thing = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(id, str) or not 0 < len(id) <= 255 or not isinstance(thing, Mapping):
        raise ValueError("the event has no id or no object")
    kind = _kind(event.get("type"), thing)
    if kind is None:
        return None
    found = thing.get("metadata")
    metadata: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    if ORDER not in metadata and kind in (Kind.PAID, Kind.UNDER_WAY, Kind.FAILED):
        return None  # of another shop on the same account
    payment = thing.get("payment_intent")
    if not isinstance(payment, str) or not payment:
        if ORDER not in metadata:
            return None
        raise ValueError("the event names no payment")
    amount, currency = thing.get(_AMOUNTS.get(kind, "amount_total")), thing.get("currency")
    if type(amount) is not int or not 0 <= amount <= LARGEST or not isinstance(currency, str):
        raise ValueError("the event names no amount")
    order_id, buy_id, checkout_id = (str(metadata.get(key) or "") for key in (ORDER, BUY, CHECKOUT))
    return Report(
        kind,
        id,
        payment,
        amount,
        currency.upper(),
        order_id,
        buy_id,
        checkout_id,
        str(thing.get("id")) if kind is Kind.DISPUTED else "",
    )


def _kind(name: object, thing: Mapping[str, Any]) -> Kind | None:
    if name == "checkout.session.completed":
        if thing.get("mode") != "payment":
            return None
        return Kind.PAID if thing.get("payment_status") == "paid" else Kind.UNDER_WAY
    return _KINDS.get(str(name))


def from_json(content: Mapping[str, Any]) -> Report:
    """Give a report as it was journaled."""
    return Report(**{**content, "kind": Kind(content["kind"])})
