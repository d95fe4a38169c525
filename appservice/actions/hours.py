"""When a group's concierges answer and who of them is on duty; which accounts are programs; the commission."""

from dataclasses import replace

from appservice.actions import desk_lines, group_card, helping, questions
from appservice.actions.cards import refresh_soon
from appservice.actions.desk import note, number_of, tell_desk
from appservice.actions.work import Work
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.ids import GroupId, UserId
from appservice.domain.member import Member
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.service_hours import Hours
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import hours as say


async def set_hours(work: Work, group_id: GroupId, hours: Hours) -> None:
    """Set a group's service hours: what is due for questions moves, and the group's card shows them."""
    before = await work.unit.groups.lock(group_id)
    group = replace(before, hours=hours)
    if group != before:
        await work.unit.groups.save(group)
        actor = await number_of(work, group_id, work.cause.sender)
        await note(work, group_id, "hours_set", actor=actor, hours=say.in_words(hours))
        group = await group_card.refresh(work, group)
        await questions.hours_changed(work, group)
    await _announce(work, group, say.hours_now(group))


async def set_duty(work: Work, group: Group, member: Member, *, on: bool) -> None:
    """Note that a concierge is on duty from now on, or off; who is so is told to whoever asked."""
    await work.unit.groups.lock(group.id)
    await work.unit.groups.save_member(replace(member, duty=on), work.unit.now)
    await note(work, group.id, "duty_on" if on else "duty_off", number=member.number, actor=member.number)
    await work.owe(*acknowledge(work.cause))
    await tell_duty(work, group)


async def tell_duty(work: Work, group: Group) -> None:
    """Tell whoever asked who is on duty."""
    here = await desk_lines.on_duty(work, group)
    off = [one for one in await desk_lines.concierges(work, group) if one.duty is False]
    await work.owe(answer(work.cause, say.on_duty(group, here, off)))


async def mark_machine(work: Work, group_id: GroupId, user_id: UserId, *, machine: bool) -> Refusal | None:
    """Note whether the account of somebody in the group, or invited, is another program's."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or not member.takes_seat:
        return refuse(Reason.NO_SUCH_MEMBER)
    if member.machine != machine:
        after = replace(member, machine=machine, duty=None if machine else member.duty)
        await work.unit.groups.save_member(after, work.unit.now)
        actor = await number_of(work, group_id, work.cause.sender)
        await note(work, group_id, "machine_on" if machine else "machine_off", number=member.number, actor=actor)
        if machine and member.duty:
            await note(work, group_id, "duty_off", number=member.number, actor=actor)
        if machine:
            await helping.concierge_gone(work, group, user_id)
    said = say.machine_marked(member, group) if machine else say.machine_unmarked(member, group)
    await _announce(work, group, said)
    return None


async def set_commission(work: Work, group_id: GroupId, basis_points: int | None) -> None:
    """Set what concierges get of what is sold, in hundredths of a per cent; cards and the welcome disclose it."""
    before = await work.unit.groups.lock(group_id)
    group = replace(before, commission=basis_points)
    if group != before:
        await work.unit.groups.save(group)
        actor = await number_of(work, group_id, work.cause.sender)
        await note(work, group_id, "commission_set", actor=actor, basis_points=basis_points)
        group = await group_card.refresh(work, group)
        for buy_id in await work.unit.buys.live_of(group_id):
            await refresh_soon(work, await work.unit.buys.get(buy_id))
    await _announce(work, group, say.commission_now(group))


async def _announce(work: Work, group: Group, said: str) -> None:
    """Answer whoever asked, and let the desk know where that was not asked there."""
    await work.owe(*acknowledge(work.cause), answer(work.cause, said))
    if work.cause.place is not Place.DESK:
        await tell_desk(work, group, said)
