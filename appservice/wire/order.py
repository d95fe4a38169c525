"""`shop.coterie.order`: the key on a receipt, in a direct message only."""

from typing import Any

from appservice.domain.group_buy import GroupBuy, Order
from appservice.domain.money import exponent

TYPE = "shop.coterie.order"


def format_order(buy: GroupBuy, order: Order, link: str) -> dict[str, Any]:
    """Give the key's value: what one member owes, and where to pay it."""
    content: dict[str, Any] = {
        "version": 1,
        "id": order.id,
        "line": order.line_id,
        "buy": buy.id,
        "units": order.units,
        "unit_price": order.unit_price,
        "total": order.total,
        "priceCurrency": buy.terms.currency,
        "exponent": exponent(buy.terms.currency),
        "pay_by": order.pay_by,
        "url": link,
    }
    if buy.terms.variants:
        content["ordered"] = [list(pair) for pair in order.by_variant]
    if order.shared_due:
        content["shared"] = order.shared_due
    if order.tax:
        content["tax"] = order.tax
    return content
