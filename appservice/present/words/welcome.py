"""What a person is told by direct message who comes into a group, or goes."""

from collections.abc import Sequence

from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Pledger
from appservice.domain.member import Member
from appservice.domain.product import Product
from appservice.present.amounts import moment, money
from appservice.present.text import Text, esc
from appservice.present.words.hours import commission_line, how_to_ask, in_words


def welcome(
    member: Member,
    group: Group,
    concierges: Sequence[tuple[str, str]],
    buys: Sequence[tuple[GroupBuy, Product]],
    *,
    is_new: bool,
) -> Text:
    """Give the one message on joining. `concierges` are aliases, each with a line on
    their record, which may be empty."""
    hello = f"Welcome to “{group.name}”." if is_new else f"Welcome back to “{group.name}”."
    lines = [
        f"{hello} I call you {member.alias} in all that I write; !alias Otter here changes that.",
        *_concierges(concierges, group),
        *commission_line(group),
        how_to_ask(),
        "I read the room to find pledges and commands, and the concierges see questions that are put to them. What was "
        "said before you joined stays hidden from you.",
    ]
    lines += [f"You can pledge, here{'' if group.private_pledges else ' or in the group'}:"] if buys else []
    rows = [_open(buy, product, group) for buy, product in buys]
    tail = "!help shows what else you can do; !mydata what I know of you."
    plain = "\n".join([*lines, *(f"• {row}" for row in rows), tail])
    items = f"<ul>{''.join(f'<li>{esc(row)}</li>' for row in rows)}</ul>" if rows else ""
    html = "".join(f"<p>{esc(line)}</p>" for line in lines) + items + f"<p>{esc(tail)}</p>"
    return Text(plain, html)


def _concierges(concierges: Sequence[tuple[str, str]], group: Group) -> list[str]:
    if not concierges:
        return []
    named = ", ".join(f"{alias} ({record})" if record else alias for alias, record in concierges)
    hours = f" Their hours: {in_words(group.hours)}." if group.hours.are_set else ""
    return [f"Concierges, who help you: {named}.{hours}"]


def _open(buy: GroupBuy, product: Product, group: Group) -> str:
    clearing = buy.clearing()
    currency = buy.terms.currency
    first = buy.terms.tiers[0]
    price = (
        f"now {money(clearing.unit_price, currency, group.locale)} each"
        if clearing
        else f"{money(first.unit_price, currency, group.locale)} each once {first.minimum} are pledged"
    )
    return f"{product.name}: {price}, closes {moment(buy.terms.deadline_at, group)}. !pledge 2 {buy.id}"


def pledges_stand(group: Group, pledger: Pledger, pledged: Sequence[tuple[GroupBuy, Product]]) -> Text:
    """Ask somebody who has left whether what they pledged shall stand."""
    rows = [f"{product.name}: {buy.units_of(pledger)}. !withdraw {buy.id}" for buy, product in pledged]
    head = f"You have left “{group.name}”. What you pledged stands until you take it back:"
    items = "".join(f"<li>{esc(row)}</li>" for row in rows)
    return Text("\n".join([head, *(f"• {row}" for row in rows)]), f"{esc(head)}<ul>{items}</ul>")
