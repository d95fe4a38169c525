"""The events that are read: how each is parsed, and which use case acts on it."""

from collections.abc import Awaitable, Callable, Mapping

from appservice.actions import (
    adoption,
    asking,
    cards,
    deciding,
    direct_questions,
    directs,
    group_card,
    guarding,
    help_rooms,
    helping,
    outages,
    pledges,
    proposing,
    questions,
    recommending,
    requests,
    seats,
    vouching,
)
from appservice.actions.asking import said_in
from appservice.actions.questions import sent_at
from appservice.actions.work import Work
from appservice.commands import table
from appservice.commands.choosing import buy_of_card, find_buy
from appservice.commands.command import Call
from appservice.domain.code import parse_code
from appservice.domain.group_buy import Add, GroupBuy
from appservice.domain.guarding import ENCRYPTION, GUARDED
from appservice.domain.ids import GroupId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.recommendation import LIKES
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.words.questions import ASK, DONE, TAKE
from appservice.store.rooms import Room, RoomKind
from appservice.wire import encrypted, membership, message, pledge_event, reaction, redaction, started
from appservice.wire import group as wire_group
from appservice.wire import group_buy as wire_buy
from appservice.wire.event import Event
from appservice.wire.keyed import parse_keyed
from appservice.wire.membership import Membership, parse_membership
from appservice.wire.message import Message, parse_message
from appservice.wire.pledge import is_pledge_button, looks_like_pledge, parse_more
from appservice.wire.pledge_event import parse_pledge_event, parse_replaced
from appservice.wire.reaction import Reaction, parse_reaction
from appservice.wire.remark import parse_remark


async def _on_message(work: Work, event: Event, room: Room | None) -> None:
    keyed = parse_keyed(event.content) if room is not None and room.kind.is_of_group else None
    if keyed and room and await requests.by_message(work, GroupId(room.subject), event, keyed):
        return
    typed, remark = parse_message(event.content), parse_remark(event.content)
    if room is None or (typed is None and room.kind is RoomKind.DESK):
        return
    if room.kind is RoomKind.DIRECT and room.subject == event.sender:
        await directs.heard(work, event.sender, event.room_id)
    if typed is None:
        await _on_other_words(work, event, room)
        return
    is_command = typed.body.startswith("!") and typed.body[1:2].isalpha()
    name, *rest = typed.body[1:].split(None, 1) if is_command else ("",)
    if typed.edits is not None:
        if remark is not None and await asking.edited(work, typed.edits, event.sender, remark):
            return
        if remark is not None and await direct_questions.edited(work, typed.edits, remark.text, remark.picture):
            return
        in_group = is_command and room.kind is RoomKind.GROUP
        if not (in_group and await table.edited(work, name, typed.edits)):
            await pledges.edited(work, typed.edits)
    elif is_command:
        named = remark.mentions if remark is not None else frozenset()
        await table.run(work, name, await _call(work, room, "".join(rest).strip(), typed, named))
    elif room.kind is RoomKind.HELP:
        await _on_other_words(work, event, room)
    else:
        await _on_words(work, event, room, typed)


async def _on_other_words(work: Work, event: Event, room: Room) -> None:
    """Read what somebody says, or shows, that is neither command nor pledge: it may ask, or answer."""
    remark = parse_remark(event.content)
    if remark is None or remark.is_notice or remark.edits is not None:
        return
    if room.kind is RoomKind.GROUP:
        await asking.heard(work, GroupId(room.subject), event, remark)
    elif room.kind is RoomKind.HELP:
        await helping.heard(work, room, sent_at(event.sent_at, work.cause.received_at))
    elif room.kind is RoomKind.DIRECT:
        said = said_in(event, remark, work.cause.received_at)
        await direct_questions.heard(work, said, remark.reply_to or remark.thread)


async def _on_words(work: Work, event: Event, room: Room, typed: Message) -> None:
    """Read what is no command: a pledge by reply to a card, or a pledge by direct message."""
    replied = await buy_of_card(work, typed.reply_to)
    is_pledge = looks_like_pledge(typed.body, replied.terms.variants if replied else ())
    buy = replied if is_pledge else None
    if buy is not None:
        await _pledge_more(work, room, buy, typed.body)
    elif room.kind is RoomKind.DIRECT:
        if await direct_questions.placed(work, typed.body):
            return
        code = parse_code(typed.body)
        if code is not None:
            await _on_code(work, code)
            return
        if not is_pledge:
            await _on_other_words(work, event, room)
            return
        found = await find_buy(work, await _call(work, room, "", typed), typed.body.split(), typed.body)
        if isinstance(found, Refusal):
            await work.refuse(found)
        else:
            buy, _, words = found
            await _pledge_more(work, room, buy, " ".join(words))
    elif room.kind is RoomKind.GROUP:
        await _on_other_words(work, event, room)


async def _on_code(work: Work, code: str) -> None:
    if await work.refuse_clear():
        return
    refusal = await vouching.redeem(work, code)
    if refusal is not None:
        await work.refuse(refusal)


async def _on_reaction(work: Work, event: Event, room: Room | None) -> None:
    reacted = parse_reaction(event.content)
    if reacted is not None and room is not None and room.kind is RoomKind.HELP:
        await helping.reacted(work, room, reacted.key)
        return
    if room is not None and reacted is not None and await _on_question_reaction(work, room, reacted):
        return
    if reacted is not None and room is not None and room.kind is RoomKind.DESK:
        if reacted.key in (vouching.YES, vouching.NO):
            approved = reacted.key == vouching.YES
            await deciding.decide(work, GroupId(room.subject), reacted.event_id, approved=approved)
        return
    if reacted is not None and room is not None and room.kind is RoomKind.DIRECT and reacted.key == proposing.YES:
        if room.subject == event.sender:
            await proposing.confirmed(work, reacted.event_id)
        return
    if reacted is not None and reacted.key in LIKES:
        await recommending.like(work, reacted.event_id)
        return
    buy = await buy_of_card(work, reacted.event_id) if reacted and is_pledge_button(reacted.key) else None
    if reacted is not None and buy is not None and room is not None:
        await _pledge_more(work, room, buy, reacted.key)


async def _on_question_reaction(work: Work, room: Room, reacted: Reaction) -> bool:
    is_about = reacted.key in _ABOUT_QUESTIONS
    return is_about and await asking.reacted(work, room.kind, room.subject, reacted.key, reacted.event_id)


async def _pledge_more(work: Work, room: Room, buy: GroupBuy, text: str) -> None:
    if await pledges.removed_as_private(work) or await work.refuse_clear():
        return
    member = await _member_here(work, room, buy)
    if member is None:
        await work.refuse(refuse(Reason.NOT_A_MEMBER))
        return
    more = parse_more(text, buy.terms.variants)
    if isinstance(more, Refusal):
        await work.refuse(more)
        return
    cause, own = work.cause, pledges.pledger_of(member)
    request = Add(own, more.units, cause.id, cause.position, cause.received_at, more.variant)
    await pledges.pledge(work, buy.id, request)


async def _on_pledge_event(work: Work, event: Event, room: Room | None) -> None:
    if room is None or not event.content:  # it was removed before it came
        return
    if await pledges.removed_as_private(work):
        return
    if room.kind is RoomKind.DIRECT and room.subject == event.sender:
        await directs.heard(work, event.sender, event.room_id)
    replaced = parse_replaced(event.content)
    asked = parse_pledge_event(event.content)
    if replaced is not None:
        await pledges.edited(work, replaced)
    elif isinstance(asked, Refusal):
        await work.refuse(asked)
    elif not await work.refuse_clear():
        buy = await work.unit.buys.find(asked.buy_id)
        member = await _member_here(work, room, buy, former=pledges.takes_back(asked.wish)) if buy else None
        if buy is None or member is None:  # both alike: whose buys there are elsewhere is nobody's business
            await work.refuse(refuse(Reason.NO_BUY))
        else:
            await pledges.pledge(work, buy.id, pledges.request_for(work, member, asked.wish))


async def _member_here(work: Work, room: Room, buy: GroupBuy, *, former: bool = False) -> Member | None:
    """Give as which member the sender pledges: that of the group in which they did, or of the first that shows it.
    With `former`, who has left counts as well: pledges bind, so they can be withdrawn."""
    shown_in = await work.unit.buys.groups_of(buy)
    here = [group_id for group_id in shown_in if room.kind is RoomKind.GROUP and group_id == room.subject]
    for group_id in here or shown_in:
        member = await work.unit.groups.member(group_id, work.cause.sender)
        is_in = member is not None and (former or member.presence is Presence.JOINED)
        if member is not None and is_in and member.number is not None:
            return member
    return None


async def _on_unreadable(work: Work, event: Event, room: Room | None) -> None:
    """Forget it: it was removed, is a replay, or was broken on purpose."""
    await work.unit.inbox.forget(work.cause.position)


async def _on_redaction(work: Work, event: Event, room: Room | None) -> None:
    if event.redacts is not None:
        await work.unit.inbox.removed(event.redacts, event.sender)
        await work.unit.unplaced.remove(event.redacts, event.sender)
    if event.redacts is None or await deciding.line_removed(work, event.redacts):
        return
    if await recommending.taken_back(work, event.redacts) or await asking.removed(work, event.redacts):
        return
    if not await cards.card_removed(work, event.redacts) and not await group_card.removed(work, event.redacts):
        await pledges.taken_back(work, event.redacts)
        if room is not None and room.kind.is_of_group:
            await guarding.may_have_redacted(work, GroupId(room.subject))


async def _on_membership(work: Work, event: Event, room: Room | None) -> None:
    change = parse_membership(event)
    if change is None:
        return
    if change.user_id == work.config.bot_mxid:
        await _on_own_membership(work, event.room_id, change, room)
    elif room is not None and room.kind is RoomKind.GROUP:
        await _on_group_membership(work, GroupId(room.subject), change)
    elif room is not None and room.kind is RoomKind.DESK:
        if change.membership in ("join", "invite"):
            await guarding.at_the_desk(work, GroupId(room.subject), change.user_id)
        if change.membership == "join":
            await questions.somebody_came(work, GroupId(room.subject))
    elif room is not None and room.kind is RoomKind.DIRECT:
        await _on_direct_membership(work, event.room_id, UserId(room.subject), change)
    elif room is not None and room.kind is RoomKind.HELP:
        await _on_help_membership(work, room, change)


async def _on_own_membership(work: Work, room_id: RoomId, change: Membership, room: Room | None) -> None:
    if change.membership == "invite" and room is None:
        if await adoption.invited(work, room_id):
            return
        if change.is_direct:
            await directs.accept(work, room_id, change.sender)
        else:
            await directs.decline(work, room_id)
    elif change.membership in ("leave", "ban") and room is not None and room.kind is RoomKind.DIRECT:
        await directs.person_left(work, UserId(room.subject), room_id)
    elif change.membership in ("leave", "ban") and room is not None and room.kind is RoomKind.HELP:
        await helping.bot_went(work, room)


async def _on_help_membership(work: Work, room: Room, change: Membership) -> None:
    if change.membership == "join":
        await help_rooms.came(work, room, change.user_id)
    elif change.membership in ("leave", "ban"):
        await helping.went(work, room, change.user_id, change.sender)


async def _on_group_membership(work: Work, group_id: GroupId, change: Membership) -> None:
    if change.membership == "join":
        await seats.joined(work, group_id, change.user_id, change.name)
    elif change.membership == "invite":  # also of our own: its seat may have been given back before it was sent (again)
        await guarding.invited_by_other(work, group_id, change.user_id, change.sender)
    elif change.membership in ("leave", "ban"):
        await seats.left(work, group_id, change.user_id, banned=change.membership == "ban")


async def _on_direct_membership(work: Work, room_id: RoomId, person: UserId, change: Membership) -> None:
    if change.user_id != person:
        if change.membership in ("join", "invite"):
            await directs.person_left(work, person, room_id)
    elif change.membership == "join":
        await directs.person_joined(work, person, room_id)
    elif change.membership in ("leave", "ban"):
        await directs.person_left(work, person, room_id)


async def _on_buy_state(work: Work, event: Event, room: Room | None) -> None:
    if event.state_key is not None and room is not None and room.kind is RoomKind.GROUP:
        await requests.by_state(work, GroupId(room.subject), event)


async def _on_started(work: Work, event: Event, room: Room | None) -> None:
    await outages.came_back(work, started.parse_started(event.content))


async def _on_policy(work: Work, event: Event, room: Room | None) -> None:
    if event.state_key is None or room is None:
        return
    if room.kind.is_of_group:
        await guarding.changed(work, GroupId(room.subject), event)
    elif event.type == ENCRYPTION and not event.state_key:
        await directs.encrypted(work, event.room_id, event.content)


async def _call(work: Work, room: Room, rest: str, typed: Message, mentions: frozenset[UserId] = frozenset()) -> Call:
    if room.kind is RoomKind.HELP:
        place, helped = await helping.place_of(work, room)
        return Call(place, rest, typed.reply_to, helped)
    group_id = GroupId(room.subject) if room.kind.is_of_group else None
    return Call(work.cause.place, rest, typed.reply_to, group_id, mentions)


_ABOUT_QUESTIONS = (TAKE, DONE, ASK)
POLICY = (*GUARDED, wire_group.TYPE)
"""State that the service guards in a group's room and its desk."""
ROUTES: Mapping[str, Callable[[Work, Event, Room | None], Awaitable[None]]] = {
    message.TYPE: _on_message,
    pledge_event.TYPE: _on_pledge_event,
    reaction.TYPE: _on_reaction,
    redaction.TYPE: _on_redaction,
    encrypted.TYPE: _on_unreadable,
    membership.TYPE: _on_membership,
    wire_buy.TYPE: _on_buy_state,
    started.TYPE: _on_started,
    **dict.fromkeys(POLICY, _on_policy),
}
