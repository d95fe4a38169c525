"""What a person is told who comes into a group, or goes; and the cards that are posted afresh for newcomers."""

from dataclasses import replace

from appservice.actions import desk_lines, group_card, record
from appservice.actions.cards import post_anew
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import Tell
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import GroupBuy, Pledger, Status
from appservice.domain.ids import GroupId
from appservice.domain.member import Member
from appservice.domain.product import Product
from appservice.present.text import notice
from appservice.present.words import welcome as say

SHOWN_EVERY_MS = DAY_MS
"""Cards are posted afresh for newcomers at most once in this time."""


async def welcome(work: Work, group: Group, member: Member, *, is_new: bool) -> None:
    """Tell a person who has come in what they need to know, in one direct message, and have the cards that they cannot
    see posted afresh."""
    buys = await open_buys(work, group.id)
    others = [one for one in await desk_lines.concierges(work, group) if one.user_id != member.user_id]
    concierges = [(one.alias or "", await record.line(work, group, one)) for one in others]
    text = say.welcome(member, group, concierges, buys, is_new=is_new)
    await work.owe(Tell(member.user_id, notice(text)))
    if buys or group.card_id is not None:
        due_at = max(work.unit.now, group.shown_at + SHOWN_EVERY_MS)
        await work.unit.timers.set_earlier("newcomers", group.id, due_at)


async def farewell(work: Work, group: Group, member: Member) -> None:
    """Ask a person who has left whether what they pledged shall stand: leaving does not withdraw."""
    if member.number is None:
        return
    pledger = Pledger(group.id, member.number)
    pledged = [(buy, product) for buy, product in await open_buys(work, group.id) if buy.units_of(pledger)]
    if pledged:
        await work.owe(Tell(member.user_id, notice(say.pledges_stand(group, pledger, pledged))))


async def show_to_newcomers(work: Work, group_id: GroupId) -> None:
    """Post the cards of all open buys afresh: they become the pinned, edited ones; a pledge on an old one counts."""
    group = await work.unit.groups.lock(group_id)
    buys = await open_buys(work, group_id)
    if group.status is not GroupStatus.OPEN or group.room_id is None or not (buys or group.card_id):
        return
    if group.card_id is not None:
        group = await group_card.post_anew(work, group)
    for buy, _ in buys:
        await post_anew(work, buy, group)
    await work.unit.groups.save(replace(group, shown_at=work.unit.now))


async def open_buys(work: Work, group_id: GroupId) -> list[tuple[GroupBuy, Product]]:
    """Give the buys of a group in which one can pledge, with what they are of."""
    found = []
    for buy_id in await work.unit.buys.live_of(group_id):
        buy = await work.unit.buys.get(buy_id)
        if buy.status is Status.OPEN:
            found.append((buy, await work.unit.products.get(buy.product_id)))
    return found
