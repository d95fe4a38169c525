"""Tables of a group buy that has cleared: given as files, in the desk or where the operator wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from appservice.actions.desk import tell_desk
from appservice.actions.receipts import names
from appservice.actions.work import Work
from appservice.domain.effect import SendFile
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy
from appservice.domain.ids import BuyId, GroupId
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge
from appservice.present.exports import Export, Kind, export, file_name
from appservice.present.table import to_csv, to_json
from appservice.present.words import exports as say


@dataclass(frozen=True, slots=True)
class File:
    """A table as a file."""

    name: str
    mimetype: str
    data: bytes


async def export_tables(
    work: Work, group: Group, buy_id: BuyId, kinds: Sequence[Kind], *, as_json: bool
) -> Refusal | None:
    """Upload tables of a buy to the desk of its group, as they are now."""
    if group.desk_id is None:
        return refuse(Reason.STILL_CREATING)
    files = await tables(work, await work.unit.buys.lock(buy_id), kinds, as_json=as_json)
    if isinstance(files, Refusal):
        return files
    await work.owe(*acknowledge(work.cause))
    for file in files:
        subject = f"{group.id} {file.name}"
        await work.owe(
            SendFile(group.desk_id, file.name, file.mimetype, file.data.decode(), answer="export", subject=subject)
        )
    return None


async def tables(work: Work, buy: GroupBuy, kinds: Sequence[Kind], *, as_json: bool) -> list[File] | Refusal:
    """Give tables of a buy, which nobody may change meanwhile."""
    state = await work.unit.orders.get(buy)
    if state is None:
        return refuse(Reason.NOT_CLEARED, status=buy.status)
    group = await work.unit.groups.get(buy.group_id)
    product = await work.unit.products.get(buy.product_id)
    source = Export(group, product, state, await names(work, buy), work.unit.now)
    return [_file(kind, source, as_json=as_json) for kind in kinds]


def _file(kind: Kind, source: Export, *, as_json: bool) -> File:
    table = export(kind, source)
    if as_json:
        return File(file_name(kind, source, "json"), "application/json", to_json(table))
    return File(file_name(kind, source, "csv"), "text/csv", to_csv(table))


async def not_uploaded(work: Work, group_id: GroupId, name: str, error: str) -> None:
    """Tell the desk that a file could not be uploaded."""
    await tell_desk(work, await work.unit.groups.get(group_id), say.not_uploaded(name, error))
