"""What is said of recommendations and likes, and of a product's history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Status
from appservice.domain.product import Product
from appservice.domain.recommendation import Credit, Praise, Recommendation
from appservice.present.amounts import money
from appservice.present.text import Text, esc

_ENDED = {Status.FAILED: "the minimum order was not reached", Status.CANCELLED: "cancelled"}


@dataclass(frozen=True, slots=True)
class Praised:
    """A recommendation, what its author is called, and what followed."""

    said: Recommendation
    alias: str
    credit: Credit


def praise_line(praise: Praise) -> list[str]:
    """Give `Recommended by 3 members, 5 likes` as one line, or none: no names."""
    parts = [f"recommended by {_many(praise.recommended, 'member')}"] if praise.recommended else []
    parts += [_many(praise.liked, "like")] if praise.liked else []
    line = ", ".join(parts)
    return [line[:1].upper() + line[1:]] if line else []


def history(
    product: Product,
    group: Group,
    posted_by: str,
    praise: Praise,
    praised: Sequence[Praised],
    courses: Sequence[tuple[GroupBuy, Fulfilment | None]],
    more: tuple[int, int],
) -> Text:
    """Tell what came of a product; `more` recommendations and group buys there are than are told."""
    price = money(product.price, product.currency, group.locale)
    head = f"{product.name} ({product.sku}), {price}, posted {_day(product.posted_at, group)} by {posted_by}."
    said = [_praised(one, group) for one in praised] + _and_more(more[0])
    buys = [_course(buy, state, group) for buy, state in courses] + _and_more(more[1])
    parts = [("; ".join(praise_line(praise)) or "Nobody has recommended it yet", said)]
    parts += [("Group buys, newest first", buys) if buys else ("No group buy of it yet", [])]
    plain, html = [head], [esc(head)]
    for title, rows in parts:
        plain += [f"{title}:" if rows else f"{title}.", *(f"• {row}" for row in rows)]
        html.append(f"<br>{esc(title)}" + (f":<ul>{''.join(f'<li>{esc(row)}</li>' for row in rows)}</ul>" if rows
                                           else "."))  # fmt: skip
    return Text("\n".join(plain), "".join(html))


def _praised(one: Praised, group: Group) -> str:
    credit = one.credit
    followed = (
        f"{_many(credit.units, 'unit')} ordered since, by {_many(credit.members, 'other member')}"
        if credit.units
        else "nothing ordered by others since"
    )
    return f"{one.alias}, {_day(one.said.at, group)}: “{one.said.why}” ({followed})"


def _course(buy: GroupBuy, state: Fulfilment | None, group: Group) -> str:
    closes = _day(buy.terms.deadline_at, group)
    if buy.status.is_planned:
        return f"{buy.id}: planned, closes {closes}"
    if buy.status.is_live:
        return f"{buy.id}: open until {closes}, {sum(tranche.quantity for tranche in buy.pledged)} pledged"
    if state is None or buy.status in _ENDED:
        return f"{buy.id}: closed {closes}, {_ENDED.get(buy.status, buy.status)}"
    price = money(state.unit_price, buy.terms.currency, group.locale)
    step = buy.status.replace("_", " ")
    return f"{buy.id}: closed {closes}, {_many(state.spoken_for(), 'unit')} at {price}, {step}"


def _and_more(count: int) -> list[str]:
    return [f"and {count} more"] if count else []


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _day(at: int, group: Group) -> str:
    time = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(group.time_zone))
    return str(format_date(time, "d MMMM y", locale=group.locale))
