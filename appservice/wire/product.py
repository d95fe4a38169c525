"""`shop.coterie.product`: the key on a product's card. Terms follow schema.org."""

from typing import Any

from appservice.domain.money import exponent
from appservice.domain.product import Product

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
