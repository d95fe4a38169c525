"""What people read on the page behind the link of a receipt, and desks of what Stripe says."""

from dataclasses import dataclass

from appservice.domain.ids import OrderId
from appservice.domain.order import Order
from appservice.domain.product import Product


@dataclass(frozen=True, slots=True)
class Bill:
    """What is said of an order on its page: `due` is what it still owes, `until` when it has to be paid."""

    order_id: OrderId
    product: str
    due: str
    until: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its heading, what it says, and the words of the link that leads on, if one does."""

    heading: str
    says: tuple[str, ...]
    leads_on: str = ""
    reloads: bool = False


ASK_US = "If that does not help, ask a concierge of your group."
UNKNOWN = Page("No order", ("There is no order behind this link. Open the link of your receipt once more.", ASK_US))


def line_item(bill: Bill, order: Order) -> str:
    """Give what Stripe calls the goods, for the payer and in the shop's list of payments."""
    return f"{bill.product} × {order.units}, order {bill.order_id}"


def owed(bill: Bill) -> Page:
    """Give the page of somebody who comes back from Stripe, or looks before they pay."""
    just = "Have you just paid? Then wait a minute and reload this page: it says so when your payment has come."
    return Page("Not paid yet", (_order(bill), f"{bill.due} until {bill.until}.", just), f"Pay {bill.due}")


def busy(bill: Bill) -> Page:
    """Give the page of somebody who clicks twice."""
    return Page("One moment", (_order(bill), "Your payment page is being made."), reloads=True)


def too_often(bill: Bill) -> Page:
    """Give the page of an order for which no more sessions are made today."""
    said = "This link was opened too often today. Open it again tomorrow, or ask a concierge how else you can pay."
    return Page("Not now", (_order(bill), said))


def down(bill: Bill) -> Page:
    """Give the page of somebody who cannot pay since Stripe does not answer."""
    said = "The payment page cannot be reached just now. Nothing was charged."
    then = f"Try again in a few minutes: this link is good until your order is paid or given up ({bill.until})."
    return Page("Not now", (_order(bill), said, then), "Try again")


def not_here(bill: Bill) -> Page:
    """Give the page of an order that Stripe does not let anybody pay."""
    said = f"{bill.due} cannot be paid by this page. Ask a concierge of your group how to pay it. Nothing was charged."
    return Page("Not here", (_order(bill), said))


def under_way(bill: Bill) -> Page:
    """Give the page of an order whose payer chose a way that takes days."""
    said = "Your payment is under way. Some ways of paying take a few days. You need not do anything more."
    return Page("Under way", (_order(bill), said))


def paid(bill: Bill) -> Page:
    """Give the page of a paid order."""
    return Page("Paid", (_order(bill), "This order is paid. You need not do anything more."))


def dropped(bill: Bill) -> Page:
    """Give the page of an order that was not paid in time."""
    said = "This order was not paid in time and its units were given up. You owe nothing."
    return Page("Given up", (_order(bill), said, "If you have paid, ask a concierge of your group: it comes back."))


def cancelled(bill: Bill) -> Page:
    """Give the page of an order whose buy was called off."""
    said = "This group buy was called off. You owe nothing, and what you have paid comes back."
    return Page("Called off", (_order(bill), said))


def refunded(bill: Bill) -> Page:
    """Give the page of an order of which nothing is left."""
    return Page("Closed", (_order(bill), "This order is closed, and what was paid for it is back."))


# In the desk, and to members

NO_AMOUNT = "This is no amount of that currency."
NO_SUCH_ORDER = "There is no such order."
PART_DISPUTED = "That is not the whole of a payment that came."
_WHAT = {
    "paid": "came for",
    "refunded": "went back of",
    "disputed": "was taken back by the payer’s bank of",
}


def too_little(order_id: OrderId, name: str, came: str, rest: str) -> str:
    """Say in the desk that a payment was not all."""
    return f"{came} came by Stripe for the order {order_id} of {name}, which still owes {rest}: it is not paid yet."


def too_much(order_id: OrderId, name: str, came: str, rest: str) -> str:
    """Say in the desk that more came than was owed, or that it came for an order that is over."""
    return (
        f"{came} came by Stripe for the order {order_id} of {name}, and {rest} of it is too much: give that back in "
        "Stripe’s dashboard. It is booked when Stripe reports it."
    )


def disputed(order_id: OrderId, amount: str) -> str:
    """Say in the desk that a payment is no payment any more."""
    return (
        f"The payer’s bank took back {amount} that had come by Stripe for the order {order_id}: it is owed again. "
        f"Answer in Stripe’s dashboard; if the money comes back, enter it: !order {order_id} paid {amount} and a note."
    )


def odd(order_id: OrderId, kind: str, amount: str, payment: str, why: str) -> str:
    """Say in the desk what Stripe reports and the books cannot take."""
    return (
        f"Stripe says that {amount} {_WHAT.get(kind, 'is under way for')} the order {order_id}. {why} Nothing was "
        f"booked; look at {payment} in Stripe’s dashboard."
    )


def payment_failed(product: Product, link: str) -> str:
    """Say to a member that their payment, which takes days, has come to nothing."""
    return f"{product.name}: your payment did not go through, and nothing was charged. You can pay again here: {link}"


def _order(bill: Bill) -> str:
    return f"{bill.product}, order {bill.order_id}."
