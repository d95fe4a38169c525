"""!export: tables of a group buy that has cleared, as files in the desk."""

from appservice.actions import exporting
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, one_group, usage
from appservice.domain.cause import Place
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import Status
from appservice.domain.ids import BuyId
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.exports import Kind

_EXPORT = (
    f"!export {Kind.BY_MEMBER}, or !export all, or !export {Kind.UNPAID} k3x9qf json (other tables: "
    f"{', '.join(kind for kind in Kind if kind not in (Kind.BY_MEMBER, Kind.UNPAID))})"
)
_JSON = "json"
_UNDER_WAY = tuple(status for status in Status if status.is_cleared and not status.is_over)
_OVER = (Status.DONE, Status.CANCELLED)
_GOES_ON = (GroupStatus.OPEN, GroupStatus.CLOSING)


async def _export(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), _EXPORT, _GOES_ON)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    as_json = any(word.lower() == _JSON for word in words)
    match [word for word in words if word.lower() not in (_JSON, "csv")]:
        case [kind, *named] if kind.lower() in {*Kind, "all"} and len(named) <= 1:
            buy_id = await _one_buy(work, call, group, kind, *named)
        case _:
            return usage(_EXPORT)
    if isinstance(buy_id, Refusal):
        return buy_id
    kinds = list(Kind) if kind.lower() == "all" else [Kind(kind.lower())]
    return await exporting.export_tables(work, group, buy_id, kinds, as_json=as_json)


async def _one_buy(work: Work, call: Call, group: Group, kind: str, named: str | None = None) -> BuyId | Refusal:
    """Give the buy of this group that is named, or else the only one that is under way, or else the only one that is
    over. Those of other groups that are shown here too are their concierges'."""
    if named is not None:
        buy = await work.unit.buys.find(named)
        return buy.id if buy is not None and buy.group_id == group.id else refuse(Reason.NO_SUCH_BUY, given=named)
    for statuses in (_UNDER_WAY, _OVER):
        choices = await _cleared(work, group, statuses, kind)
        if len(choices) == 1:
            return BuyId(choices[0][1])
        if choices:
            return refuse(Reason.WHICH_BUY, choices=choices[:10])
    return refuse(Reason.NOT_CLEARED, status=None)


async def _cleared(work: Work, group: Group, statuses: tuple[Status, ...], kind: str) -> list[tuple[str, str, str]]:
    """Give the group's own buys that have orders, newest first: product, id, and how to export it."""
    found: list[tuple[str, str, str]] = []
    for buy_id in await work.unit.buys.shown_in(group.id, statuses):
        buy = await work.unit.buys.get(buy_id)
        if buy.group_id == group.id and await work.unit.orders.get(buy) is not None:
            product = await work.unit.products.get(buy.product_id)
            found.append((product.name, buy_id, f"!export {kind} {buy_id}"))
    return found


COMMANDS = (
    Command(
        "export", _EXPORT, "get tables of a group buy's orders as files", Role.CONCIERGE, _export,
        frozenset({Place.DESK}), while_closing=True,
    ),
)  # fmt: skip
