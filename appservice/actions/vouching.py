"""Growing by word of mouth: vouching for a person, asking for a code, using one, and who may not vouch for now.

What the concierges make of it: `deciding`.
"""

from dataclasses import replace

from appservice.actions import seats
from appservice.actions.desk import note, number_of, tell_desk
from appservice.actions.work import Work
from appservice.domain.code import code_hash, code_text
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.effect import Tell, TellCode
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import seats as say
from appservice.store.unit import fresh_id
from appservice.store.vouches import Code, Vouch

YES, NO = "✅", "❌"
PENDING_MS = 30 * DAY_MS
"""After this time without a decision a vouch is void."""
CODE_MS = 7 * DAY_MS
MOST_CODES = 3
"""Live codes and codes asked for, for each person in a group."""
MOST_PENDING = 3
"""People for whom a member vouches at once."""
MOST_GUESSES = 5
GUESS_MS = HOUR_MS
"""So many wrong codes in this time, and no more are looked at."""


async def vouch(work: Work, group_id: GroupId, user_id: UserId, why: str) -> Refusal | None:
    """Put a person whom a member vouches for before the concierges."""
    group = await work.unit.groups.lock(group_id)
    sponsor = await work.unit.groups.member(group_id, work.cause.sender)
    refusal = _may_vouch(work, sponsor)
    if refusal is not None or sponsor is None or sponsor.number is None:
        return refusal or refuse(Reason.NOT_A_MEMBER)
    invitee = await work.unit.groups.member(group_id, user_id)
    match invitee.presence if invitee else Presence.LEFT:
        case Presence.JOINED:
            return refuse(Reason.ALREADY_HERE)
        case Presence.INVITED:
            return refuse(Reason.ALREADY_INVITED)
        case Presence.BANNED:
            return refuse(Reason.BANNED)
    pending = await work.unit.vouches.pending(group_id)
    if any(other.user_id == user_id for other in pending) or await work.unit.waitlist.place(group_id, user_id):
        return refuse(Reason.ALREADY_VOUCHED)
    if sum(other.sponsor == sponsor.number and not other.is_code for other in pending) >= MOST_PENDING:
        return refuse(Reason.TOO_MANY_VOUCHES, most=MOST_PENDING)
    await _ask(work, group, Vouch(fresh_id(), group_id, sponsor.number, user_id, why))
    return None


async def ask_code(work: Work, group_id: GroupId) -> Refusal | None:
    """Make an invitation code: a concierge's at once, a member's once a concierge has said yes."""
    group = await work.unit.groups.lock(group_id)
    maker = await work.unit.groups.member(group_id, work.cause.sender)
    if maker is None or maker.number is None:
        return refuse(Reason.NOT_A_MEMBER)
    is_concierge = maker.role >= Role.CONCIERGE
    refusal = None if is_concierge else _may_vouch(work, maker)
    if refusal is None:
        refusal = await may_make_code(work, group)
    if refusal is not None:
        return refusal
    asked = sum(v.is_code and v.sponsor == maker.number for v in await work.unit.vouches.pending(group_id))
    if asked + await work.unit.codes.count_live(group_id, maker.number) >= MOST_CODES:
        return refuse(Reason.TOO_MANY_CODES, most=MOST_CODES)
    if is_concierge:
        await make_code(work, group, maker.number, maker.user_id)
        await work.owe(*acknowledge(work.cause))
    else:
        await _ask(work, group, Vouch(fresh_id(), group_id, maker.number, None, "", is_code=True))
    return None


def _may_vouch(work: Work, sponsor: Member | None) -> Refusal | None:
    if sponsor is None or sponsor.presence is not Presence.JOINED:
        return refuse(Reason.NOT_A_MEMBER)
    if sponsor.suspended is not None:
        return refuse(Reason.SUSPENDED, why=sponsor.suspended)
    since = sponsor.joined_at if sponsor.joined_at is not None else work.unit.now
    if work.unit.now - since < work.config.groups.vouch_days * DAY_MS:
        return refuse(Reason.TOO_NEW, days=work.config.groups.vouch_days)
    return None


async def may_make_code(work: Work, group: Group) -> Refusal | None:
    """Refuse where no code can be made: it would keep a seat that there is not, or the group is too large."""
    if group.status is not GroupStatus.OPEN:
        return refuse(Reason.GROUP_CLOSING)
    limit = work.config.groups.code_limit
    if await work.unit.groups.count_joined(group.id) >= limit:
        return refuse(Reason.CODES_OFF, limit=limit)
    if await work.unit.groups.seats_taken(group.id) >= group.cap:
        return refuse(Reason.GROUP_FULL, cap=group.cap)
    return None


async def _ask(work: Work, group: Group, vouch: Vouch) -> None:
    """Write a vouch down, put it before the concierges and tell the sponsor that it is there."""
    await work.unit.vouches.add(vouch, work.unit.now)
    await work.unit.timers.set("vouch", vouch.id, work.unit.now + PENDING_MS)
    await post_line(work, group, vouch)
    await work.owe(*acknowledge(work.cause, waiting=True), answer(work.cause, say.passed_on(code=vouch.is_code)))


async def post_line(work: Work, group: Group, vouch: Vouch) -> None:
    """Post the line in the desk that asks for a decision. The person is called by id, or by alias if they were in the
    group before."""
    sponsor = await work.unit.groups.member_by_number(group.id, vouch.sponsor)
    person: str | None = vouch.user_id
    if vouch.user_id is not None:
        known = await work.unit.groups.member(group.id, vouch.user_id)
        person = say.called(known) if known else vouch.user_id
    await tell_desk(work, group, say.vouched(sponsor, person, vouch.why), answer="vouch_line", subject=vouch.id)


async def make_code(work: Work, group: Group, maker: Number, user_id: UserId) -> None:
    """Reserve a seat for whoever will bring the code, and hand the code to its maker."""
    code = Code(fresh_id(10), group.id, maker)
    expires_at = work.unit.now + CODE_MS
    text = code_text(work.config.appservice.as_token, code.id)
    await work.unit.codes.add(code, code_hash(text), expires_at)
    await work.unit.timers.set("code", code.id, expires_at)
    await note(work, group.id, "code_made", number=maker)
    await work.owe(TellCode(user_id, code.id, notice(say.code(group, work.config.bot_mxid))))


async def code_expired(work: Work, code_id: str) -> None:
    """Give the seat of a code back that nobody has used in time."""
    code = await work.unit.codes.get(code_id)
    if code is None:
        return
    group = await work.unit.groups.lock(code.group_id)
    if await work.unit.codes.end(code_id, "expired"):
        maker = await work.unit.groups.member_by_number(group.id, code.maker)
        await work.owe(Tell(maker.user_id, notice(say.code_expired(group))))
        await seats.advance(work, group)


async def redeem(work: Work, code: str) -> Refusal | None:
    """Let whoever brings a code have the seat that it reserves."""
    now, newcomer = work.unit.now, work.cause.sender
    if work.config.is_own_account(newcomer):
        return refuse(Reason.OWN_ACCOUNT)
    if await work.unit.codes.count_guesses(newcomer, now - GUESS_MS) >= MOST_GUESSES:
        return refuse(Reason.TOO_MANY_GUESSES)
    found = await work.unit.codes.live(code_hash(code), now)
    group = await work.unit.groups.lock(found.group_id) if found else None
    found = await work.unit.codes.live(code_hash(code), now) if group else None  # somebody may have been faster
    if found is None or group is None:
        await work.unit.codes.guessed(newcomer, now)
        return refuse(Reason.BAD_CODE)
    if group.status is not GroupStatus.OPEN:  # it may be taken back, and the code be good again
        return refuse(Reason.GROUP_CLOSING)
    limit = work.config.groups.code_limit
    if await work.unit.groups.count_joined(group.id) >= limit:
        return refuse(Reason.CODES_OFF, limit=limit)
    known = await work.unit.groups.member(group.id, newcomer)
    if known is not None and (known.takes_seat or known.presence is Presence.BANNED):
        there = {Presence.JOINED: Reason.ALREADY_HERE, Presence.BANNED: Reason.BANNED}
        return refuse(there.get(known.presence, Reason.ALREADY_INVITED), you=True)
    await work.unit.codes.end(found.id, "used")
    await work.unit.timers.clear("code", found.id)
    place = await seats.invite(work, seats.wish_of(work, group.id, newcomer, found.maker))
    if isinstance(place, Refusal):
        return place
    await note(work, group.id, "code_used", number=found.maker)
    maker = await work.unit.groups.member_by_number(group.id, found.maker)
    await work.owe(
        *acknowledge(work.cause),
        answer(work.cause, say.code_taken(group, place)),
        Tell(maker.user_id, notice(say.code_used(group))),
    )
    return None


async def suspend(work: Work, group_id: GroupId, number: Number, why: str | None) -> Refusal | None:
    """Take a member's right to vouch away, with a reason and with the codes that they have, or give it back (None)."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member_by_number(group_id, number)
    if why is None and member.suspended is None:
        return refuse(Reason.NOT_SUSPENDED)
    await work.unit.groups.save_member(replace(member, suspended=why), work.unit.now)
    actor = await number_of(work, group_id, work.cause.sender)
    await note(work, group_id, "suspended" if why else "unsuspended", number=number, actor=actor)
    codes = await seats.end_codes(work, group, number) if why else 0
    told = say.suspended(group, why, codes) if why else say.unsuspended(group)
    await work.owe(Tell(member.user_id, notice(told)))
    await work.owe(
        *acknowledge(work.cause), answer(work.cause, say.suspension_noted(member, suspended=why is not None))
    )
    if codes:
        await seats.advance(work, group)
    return None
