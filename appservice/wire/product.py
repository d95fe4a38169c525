"""`shop.coterie.product`: the key on a product's card. Terms follow schema.org."""

from dataclasses import dataclass
from typing import Any

from appservice.domain.money import LARGEST_AMOUNT, exponent
from appservice.domain.product import LONGEST_LINK, Product, parse_link, parse_sku
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name
from appservice.wire.content import at, integer_at, text_at

TYPE = "shop.coterie.product"


def format_product(product: Product) -> dict[str, Any]:
    """Give the key's value; `price` in minor units with the currency's `exponent`."""
    return {
        "version": 1,
        "id": product.id,
        "sku": product.sku,
        "name": product.name,
        "url": product.link,
        "price": product.price,
        "priceCurrency": product.currency,
        "exponent": exponent(product.currency),
    }


@dataclass(frozen=True, slots=True)
class ProductRequest:
    """A product as a concierge's client or bot describes it; `price` in minor units."""

    name: str
    price: int
    link: str
    sku: str | None = None


def parse_product(value: object, currency: str) -> ProductRequest | Refusal:
    """Read the key of a message that posts a product in a group of this currency, or say what is wrong with it."""
    wrong = _differs(value, currency)
    if wrong is not None:
        return refuse(Reason.BAD_REQUEST, field=wrong, why="wrong")
    raw_name, raw_link, raw_sku = text_at(value, "name"), text_at(value, "url", longest=LONGEST_LINK), at(value, "sku")
    name, link = clean_name(raw_name or ""), parse_link(raw_link or "")
    price, sku = integer_at(value, "price", least=1, most=LARGEST_AMOUNT), parse_sku(text_at(value, "sku") or "")
    if name is None:
        return refuse(Reason.BAD_NAME)
    if price is None:
        return refuse(Reason.BAD_REQUEST, field="price", why="wrong")
    if link is None:
        return refuse(Reason.BAD_LINK)
    if sku is None and raw_sku is not None:
        return refuse(Reason.NOT_SKU)
    return ProductRequest(name, price, link, sku)


def _differs(value: object, currency: str) -> str | None:
    """Name what says that the price is meant otherwise than in minor units of the currency."""
    meant = {"version": 1, "priceCurrency": currency, "exponent": exponent(currency)}
    for field, right in meant.items():
        given = at(value, field)
        if given is not None and (type(given) is not type(right) or given != right):
            return field
    return None
