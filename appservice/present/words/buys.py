"""What is said of products and group buys, beside cards and news."""

from appservice.domain.group import Group
from appservice.domain.product import Product
from appservice.present.amounts import moment


def product_posted(product: Product) -> str:
    return (
        f"Posted {product.name}, SKU {product.sku}. To open a group buy of it: "
        f"!buy open {product.sku} 10:79 25:69 until friday 18:00"
    )


def not_a_picture() -> str:
    return "The message you replied to is no picture I can use, so the product was posted without one."


def state_restored() -> str:
    return (
        "Someone changed a group buy's state event by hand; I put it back. Open a group buy with !buy open and end "
        "it with !buy close."
    )


def buy_opened(product: Product, deadline_at: int, group: Group) -> str:
    return (
        f"The group buy of {product.name} is open until {moment(deadline_at, group)}. If that is not the time you "
        "meant, end it with !buy close before anyone pledges, and open it again."
    )
