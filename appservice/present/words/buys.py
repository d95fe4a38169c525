"""What is said of products and group buys, beside cards and news."""

from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy
from appservice.domain.order import Units
from appservice.domain.product import Product
from appservice.present.amounts import moment


def product_posted(product: Product) -> str:
    return (
        f"Posted {product.name}, SKU {product.sku}. To open a group buy of it: "
        f"!buy open {product.sku} 10:79 25:69 until friday 18:00"
    )


def not_a_picture() -> str:
    return "The message you replied to is no picture I can use, so the product was posted without one."


def picture_left_out(product: Product) -> str:
    return (
        f"{product.name} was posted without its picture: the file is gone, larger than 20 MB, or no image I know. "
        "Post the picture yourself if it matters."
    )


def request_refused(who: str, why: str) -> str:
    return f"{who} wrote to the state event of a group buy, and I have put it back. {why}"


def picture_removed(who: str) -> str:
    return f"{who} removed the state event of a group buy. I have put it back; a buy is called off with !buy cancel."


def confirm_deadline(product: Product, buy: GroupBuy, group: Group) -> str:
    return (
        f"{product.name}: the group buy closes later now, {moment(buy.terms.deadline_at, group)}. You pledged only up "
        f"to a price, so your pledge waits until you agree: !confirm {buy.id}. To take it back: !withdraw {buy.id}."
    )


def cancelled_for_you(product: Product, reason: str) -> str:
    return f"{product.name}: the group buy was cancelled. {_sentence(reason)}You owe nothing."


def buy_cancelled(product: Product, buy: GroupBuy, reason: str) -> str:
    return f"{product.name} ({buy.id}) was cancelled. {_sentence(reason)}Nobody owes anything."


def buy_scheduled(product: Product, buy: GroupBuy, group: Group) -> str:
    opens = moment(buy.terms.opens_at or 0, group)
    return (
        f"The group buy of {product.name} ({buy.id}) opens by itself {opens} and closes "
        f"{moment(buy.terms.deadline_at, group)}. Until it opens, !buy change and !buy cancel change or end it."
    )


def terms_changed(product: Product, buy: GroupBuy) -> str:
    return f"The new terms of {product.name} ({buy.id}) hold for everyone, whenever they pledged."


def closes_now(product: Product, buy: GroupBuy, group: Group) -> str:
    return f"{product.name} ({buy.id}) closes {moment(buy.terms.deadline_at, group)} now."


def buy_shared(product: Product, buy: GroupBuy, other: Group) -> str:
    return (
        f"{product.name} ({buy.id}) is shown in “{other.name}” as well: one total and one price for all. Members of "
        "one group see nothing of the other's; in lists of orders those are called by group and number."
    )


def shared_here(product: Product, buy: GroupBuy, group: Group) -> str:
    return (
        f"A concierge shares a group buy of another group here: {product.name} ({buy.id}), closes "
        f"{moment(buy.terms.deadline_at, group)}. Its own group's concierges change or end it; you get the list of "
        "your members' orders at its end."
    )


def open_again(product: Product, buy: GroupBuy, group: Group, units: Units) -> str:
    takes = " and ".join(f"!pledge {n} {variant} {buy.id}".replace("  ", " ") for variant, n in units)
    return (
        f"{product.name}, in which you took part, is open again in “{group.name}” until "
        f"{moment(buy.terms.deadline_at, group)}. What you had before: {takes}. If you want nothing, do nothing."
    )


def buy_opened(product: Product, deadline_at: int, group: Group) -> str:
    return (
        f"The group buy of {product.name} is open until {moment(deadline_at, group)}. If that is not the time you "
        "meant, end it with !buy close before anyone pledges, and open it again."
    )


def _sentence(words: str) -> str:
    return f"{words.rstrip('.')}. " if words else ""
