"""What the concierges are told when a group buy could not be closed in time."""

from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy
from appservice.domain.product import Product
from appservice.present.amounts import moment


def still_waiting(product: Product, buy: GroupBuy, group: Group) -> str:
    return (
        f"{product.name} ({buy.id}) stays open until {moment(buy.terms.deadline_at, group)}: the homeserver has not "
        "handed me yet what was written while I was not running, and pledges may be among it. The operator can look "
        "into it with coterie check. To end the buy all the same: !buy close."
    )


def waited_enough(product: Product, buy: GroupBuy) -> str:
    return (
        f"{product.name} ({buy.id}) closes now, although the homeserver has never handed me what was written while I "
        "was not running. Pledges that still arrive are too late: ask the group whether one is missing."
    )


def device_renewed() -> str:
    return (
        "I was restored from a backup and have lost keys. If you wrote to me since then and have no ✅ from me, please "
        "write it again."
    )


def never_opened() -> str:
    return "I was not running from the time when it was to open until it was to close."
