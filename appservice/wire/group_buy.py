"""`shop.coterie.group_buy`: the key on a card, and the state event that is a buy's published picture."""

from typing import Any

from appservice.domain.clearing import Clearing
from appservice.domain.group_buy import GroupBuy, Status, Terms
from appservice.domain.money import exponent
from appservice.domain.product import Product

TYPE = "shop.coterie.group_buy"


def format_card(buy: GroupBuy, product: Product, clearing: Clearing | None) -> dict[str, Any]:
    """Give the key on the card: the terms, the price now and the total; no member."""
    content = _terms(buy, product)
    content["total"] = clearing.total if clearing else sum(tranche.quantity for tranche in buy.pledged)
    if clearing is not None:
        content["unit_price"] = clearing.unit_price
    return content


def format_state(buy: GroupBuy, product: Product, card: str | None, unit_price: int | None) -> dict[str, Any]:
    """Give the state event's content: the terms and the price reached; no totals, as every joiner reads state."""
    content = _terms(buy, product) | {"status": _published(buy)}
    if card is not None:
        content["card"] = card
    if unit_price is not None:
        content["unit_price"] = unit_price
    return content


def format_sealed_state(buy: GroupBuy, card: str | None) -> dict[str, Any]:
    """Give the state event's content in an encrypted room: nothing of what is bought, as homeservers read state."""
    content = {"version": 1, "id": buy.id, "status": _published(buy), "closes_at": buy.terms.deadline_at}
    return content | {"card": card} if card is not None else content


def format_result(buy: GroupBuy, lines: list[tuple[str, int]] | None, unit_price: int | None) -> dict[str, Any]:
    """Give the key on the result message: each order's random line id with its units, where these are published."""
    content: dict[str, Any] = {"version": 1, "id": buy.id, "status": _published(buy)}
    if unit_price is not None:
        content["unit_price"] = unit_price
        if lines is not None:
            content["lines"] = [list(line) for line in lines]
    return content


def _published(buy: GroupBuy) -> str:
    """Give how a buy stands in what is published on opening, at tiers and at its end, and not later."""
    return Status.SUCCEEDED.value if buy.status.is_cleared else buy.status.value


def _terms(buy: GroupBuy, product: Product) -> dict[str, Any]:
    terms = buy.terms
    return {
        "version": 1,
        "id": buy.id,
        "status": buy.status.value,
        "product": {"id": product.id, "sku": product.sku, "name": product.name, "url": product.link},
        "priceCurrency": terms.currency,
        "exponent": exponent(terms.currency),
        "tiers": [{"minimum": tier.minimum, "unit_price": tier.unit_price} for tier in terms.tiers],
        "pack": terms.pack,
        "closes_at": terms.deadline_at,
    } | _options(terms)


def _options(terms: Terms) -> dict[str, Any]:
    """Give what an offer may have beyond tiers, pack and deadline; what it does not have is left out."""
    tax = terms.tax
    options = {
        "cap": terms.cap,
        "opens_at": terms.opens_at,
        "least": terms.least if terms.least > 1 else None,
        "most": terms.most,
        "step": terms.step if terms.step > 1 else None,
        "variants": list(terms.variants) or None,
        "shared_cost": terms.shared_cost or None,
        "tax": {"rate": tax.rate, "inclusive": tax.inclusive} if tax else None,
    }
    return {name: value for name, value in options.items() if value is not None}
