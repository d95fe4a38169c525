"""What we ask Stripe for, and what it gives."""

from dataclasses import dataclass

from appservice.domain.ids import BuyId, OrderId


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session to be made: `amount` in our minor units, `expires_at` (ms) 30 minutes to 24 hours ahead. Two requests
    with the same `id` must be the same in everything, and give the same session."""

    id: str
    order_id: OrderId
    buy_id: BuyId
    amount: int
    currency: str
    description: str
    expires_at: int
    return_url: str


@dataclass(frozen=True, slots=True)
class Session:
    """Where an order can be paid, until it expires."""

    id: str
    url: str


class NotGiven(Exception):
    """Stripe gave no session. `may_exist`: we cannot know, as no answer came; the same request asks for the same one.
    `is_final`: asking again is of no use before somebody mends what Stripe objects to."""

    def __init__(self, why: str, *, may_exist: bool = False, is_final: bool = False) -> None:
        super().__init__(why)
        self.may_exist, self.is_final = may_exist, is_final
