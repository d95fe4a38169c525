"""Our own links by which orders are paid: good for as long as an order is, unlike a session of Stripe's."""

import hmac

from appservice.config import Config
from appservice.domain.ids import OrderId

PATH = "/pay"
BACK = "back"
"""A query by which the page is only looked at, as one who comes back from Stripe does."""


def pay_link(config: Config, order_id: OrderId) -> str | None:
    """Give the link by which an order is paid at Stripe, or None where orders are not paid there."""
    if config.purchase.provider != "stripe":
        return None
    return f"{config.web.public_url}{PATH}/{order_id}/{_token(config, order_id)}"


def is_genuine(config: Config, order_id: str, token: str) -> bool:
    """Tell in constant time whether a link's token is that of its order."""
    return hmac.compare_digest(token.encode("utf-8", "replace"), _token(config, order_id).encode())


def _token(config: Config, order_id: str) -> str:
    """Give an order's token: derived by HMAC-SHA256 and kept nowhere."""
    words = f"coterie payment {order_id}".encode("utf-8", "replace")
    return hmac.digest(config.appservice.as_token.encode(), words, "sha256").hex()[:32]
