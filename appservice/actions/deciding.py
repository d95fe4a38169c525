"""What becomes of a vouch: its line in the desk, the concierges' decision on it, and its end without one."""

from dataclasses import replace

from appservice.actions import seats, vouching
from appservice.actions.desk import note, tell_desk
from appservice.actions.work import Work
from appservice.domain.effect import Redact, SendEvent, Tell
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, GroupId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Refusal
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import edited, notice
from appservice.present.words import seats as say
from appservice.present.words.refusals import refusal as sentence
from appservice.store.vouches import Vouch, VouchStatus
from appservice.wire import message, reaction

_MINE = "not up to date any more"


async def line_posted(work: Work, vouch_id: str, desk_id: RoomId, event_id: EventId) -> None:
    """Note which line in the desk asks for a decision, and offer the two answers on it, unless a concierge has given
    one already: their reaction may be handled before the homeserver has said which line it is."""
    found = await work.unit.vouches.get(vouch_id)
    if found is None:
        return
    group = await work.unit.groups.lock(found.group_id)
    vouch = await work.unit.vouches.get(vouch_id)
    if vouch is None or vouch.status is not VouchStatus.PENDING:
        await _redact(work, group, event_id)
        return
    await _redact(work, group, vouch.event_id)  # posted twice: the later line counts
    await work.unit.vouches.set_event(vouch_id, event_id)
    if not await _settle_early(work, group, replace(vouch, event_id=event_id), event_id):
        for key in (vouching.YES, vouching.NO):
            await work.owe(SendEvent(desk_id, reaction.TYPE, reaction.format_reaction(event_id, key)))


async def line_removed(work: Work, event_id: EventId) -> bool:
    """Post a line anew that was removed from the desk before it was decided; False where it was no such line."""
    found = await work.unit.vouches.by_event(event_id)
    if found is None:
        return False
    group = await work.unit.groups.lock(found.group_id)
    vouch = await work.unit.vouches.by_event(event_id)
    if vouch is not None and vouch.status is VouchStatus.PENDING and work.cause.room_id == group.desk_id:
        await _post_again(work, group, vouch)
    return True


async def post_all(work: Work, group_id: GroupId) -> Refusal | None:
    """Post every line anew that waits for a decision: who came into the desk later cannot see the old ones."""
    group = await work.unit.groups.lock(group_id)
    pending = await work.unit.vouches.pending(group_id)
    await work.owe(*acknowledge(work.cause))
    if not pending:
        await work.owe(answer(work.cause, say.no_vouches(group)))
    for vouch in pending:
        await _redact(work, group, vouch.event_id)
        await _post_again(work, group, vouch)
    return None


async def _post_again(work: Work, group: Group, vouch: Vouch) -> None:
    await work.unit.vouches.set_event(vouch.id, None)
    if group.status is not GroupStatus.CLOSED:
        await vouching.post_line(work, group, vouch)


async def _redact(work: Work, group: Group, event_id: EventId | None) -> None:
    if event_id is not None and group.desk_id is not None and group.status is not GroupStatus.CLOSED:
        await work.owe(Redact(group.desk_id, event_id, _MINE))


# Decided


async def decide(work: Work, group_id: GroupId, event_id: EventId, *, approved: bool) -> None:
    """Settle a vouch as a concierge has reacted in the desk of its group; the first reaction counts."""
    group = await work.unit.groups.lock(group_id)
    concierge = await work.unit.groups.member(group_id, work.cause.sender)
    if concierge is None or concierge.role < Role.CONCIERGE:
        return
    vouch = await work.unit.vouches.by_event(event_id)
    if vouch is None:
        await _note_early(work, group, event_id, concierge, approved=approved)
    elif vouch.group_id == group_id and vouch.status is VouchStatus.PENDING:
        await _settle(work, group, vouch, concierge, approved=approved)


async def _note_early(work: Work, group: Group, event_id: EventId, concierge: Member, *, approved: bool) -> None:
    """Keep a reaction in mind that may be to a line of which we do not know yet that it was posted."""
    is_posting = any(vouch.event_id is None for vouch in await work.unit.vouches.pending(group.id))
    if is_posting and not await work.unit.told.said(_early(event_id)):
        what = f"{'yes' if approved else 'no'} {concierge.number}"
        await work.unit.told.first(_early(event_id), what, work.unit.now)


async def _settle_early(work: Work, group: Group, vouch: Vouch, event_id: EventId) -> bool:
    """Settle a vouch as a concierge has reacted who was quicker than its line."""
    said = await work.unit.told.said(_early(event_id))
    await work.unit.told.forget(_early(event_id))
    for what in said:
        how, _, number = what.partition(" ")
        concierge = await work.unit.groups.member_by_number(group.id, Number(int(number)))
        if concierge.role >= Role.CONCIERGE:
            return await _settle(work, group, vouch, concierge, approved=how == "yes")
    return False


def _early(event_id: str) -> str:
    return f"early {event_id}"


async def _settle(work: Work, group: Group, vouch: Vouch, concierge: Member, *, approved: bool) -> bool:
    """Do what a concierge has decided; False where it cannot be done now, and the vouch stays."""
    sponsor = await work.unit.groups.member_by_number(group.id, vouch.sponsor)
    may_have = not vouch.is_code or (sponsor.presence is Presence.JOINED and sponsor.suspended is None)
    outcome = await _approve(work, group, vouch, sponsor) if approved and may_have else say.declined(sponsor)
    if isinstance(outcome, Refusal):
        await tell_desk(work, group, sentence(outcome))
        return False
    if not may_have and approved:
        approved, outcome = False, say.code_in_vain(sponsor)
    status = VouchStatus.APPROVED if approved else VouchStatus.DECLINED
    await _end(work, group, vouch, status, say.decided(outcome, concierge), concierge.number)
    fact = ("code" if vouch.is_code else "vouch") + ("_approved" if approved else "_declined")
    await note(work, group.id, fact, number=vouch.sponsor, actor=concierge.number)
    if not approved:
        await work.owe(Tell(sponsor.user_id, notice(say.vouch_declined(group, code=vouch.is_code))))
    return True


async def _approve(work: Work, group: Group, vouch: Vouch, sponsor: Member) -> str | Refusal:
    """Do what a vouch asked for; gives how it came out for the desk. A refusal leaves a code's vouch pending."""
    if vouch.user_id is None:
        refusal = await vouching.may_make_code(work, group)
        if refusal is not None:
            return refusal
        await vouching.make_code(work, group, vouch.sponsor, sponsor.user_id)
        return say.code_approved(sponsor)
    wish = replace(seats.wish_of(work, group.id, vouch.user_id, vouch.sponsor), asked_by=sponsor.user_id)
    place = await seats.invite(work, wish)
    if isinstance(place, Refusal):
        await work.owe(Tell(sponsor.user_id, notice(say.vouch_in_vain(group, sentence(place)))))
        return f"{say.vouch_of(sponsor)}: {sentence(place)}"
    await work.owe(Tell(sponsor.user_id, notice(say.vouch_approved(group, place))))
    return say.approved(sponsor, place)


async def _end(
    work: Work, group: Group, vouch: Vouch, status: VouchStatus, line: str, decided_by: Number | None
) -> None:
    """Settle a vouch for good, and let its line in the desk say how."""
    await work.unit.vouches.decide(vouch.id, status, decided_by)
    await work.unit.timers.clear("vouch", vouch.id)
    if vouch.event_id is not None and group.desk_id is not None:
        await work.owe(SendEvent(group.desk_id, message.TYPE, edited(vouch.event_id, notice(line))))


# Never decided


async def expired(work: Work, vouch_id: str) -> None:
    """End a vouch on which nobody has decided in time."""
    found = await work.unit.vouches.get(vouch_id)
    if found is None:
        return
    group = await work.unit.groups.lock(found.group_id)
    vouch = await work.unit.vouches.get(vouch_id)
    if vouch is None or vouch.status is not VouchStatus.PENDING or group.status is GroupStatus.CLOSED:
        return
    sponsor = await work.unit.groups.member_by_number(group.id, vouch.sponsor)
    await _end(work, group, vouch, VouchStatus.EXPIRED, say.lapsed(sponsor), None)
    await note(work, group.id, "vouch_expired", number=vouch.sponsor)
    await work.owe(Tell(sponsor.user_id, notice(say.vouch_lapsed(group, code=vouch.is_code))))


async def withdraw_of(work: Work, group: Group, user_id: UserId, number: Number | None) -> None:
    """End what waits for a decision about a person who is to be forgotten, or was asked by them, and remove its line;
    the group is locked."""
    for vouch in await work.unit.vouches.pending(group.id):
        is_theirs = number is not None and vouch.sponsor == number
        if not is_theirs and vouch.user_id != user_id:
            continue
        await work.unit.vouches.decide(vouch.id, VouchStatus.DECLINED, None)
        await work.unit.timers.clear("vouch", vouch.id)
        await _redact(work, group, vouch.event_id)
        if not is_theirs and group.status is not GroupStatus.CLOSED:
            sponsor = await work.unit.groups.member_by_number(group.id, vouch.sponsor)
            await work.owe(Tell(sponsor.user_id, notice(say.vouch_void(group))))
