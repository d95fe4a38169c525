"""Adopting a room that was there before: asked for, looked at, confirmed by its owner, taken over.

A wish stands for a day. The bot is in the room while it does, reads nothing there but the room's state, and changes
nothing before the owner's word; `_take_over` then does everything in one unit.
"""

from collections.abc import Sequence
from dataclasses import replace

from appservice.actions import aliases
from appservice.actions.desk import note
from appservice.actions.groups import no_desk
from appservice.actions.guarding import rules_of
from appservice.actions.work import Work
from appservice.domain.adoption import Person, Plan, plan
from appservice.domain.alias import alias_key
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import CreateRoom, Inspect, Kick, Leave, SendEvent, SendState, Tell, Unlist
from appservice.domain.group import Group, GroupStatus
from appservice.domain.guarding import POWER_LEVELS, drift
from appservice.domain.ids import GroupId, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.matrix import rooms as building
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import adoption as say
from appservice.present.words import guarding as guarded
from appservice.present.words.refusals import refusal as sentence
from appservice.store.adoptions import Wish
from appservice.store.rooms import Room, RoomKind
from appservice.store.settings import OWN_ROOM
from appservice.store.unit import fresh_id
from appservice.store.waitlist import Waiting
from appservice.wire import message
from appservice.wire.room_state import RoomState

STANDS_MS = DAY_MS
"""So long a wish stands, for the bot to be let in and for the owner to confirm."""


async def ask(work: Work, room_id: RoomId, cap: int | None) -> Refusal | None:
    """Have a room looked at that an owner wants to have adopted; what would change is told to them then."""
    if await _is_ours(work, room_id):
        return await _go_on(work, room_id)
    standing = await work.unit.adoptions.lock(room_id)
    if standing is not None and standing.owner not in work.config.groups.owners:
        await work.unit.adoptions.drop(room_id)
    wish = Wish(room_id, work.cause.sender, cap or work.config.groups.cap)
    if not await _note_wish(work, wish):
        return refuse(Reason.UNADOPTABLE, why="asked")
    await work.owe(_look(work, wish), *acknowledge(work.cause, waiting=True))
    return None


async def confirm(work: Work, room_id: RoomId, cap: int | None) -> Refusal | None:
    """Have a room adopted as it was proposed to its owner. Who was not told yet what would change is told first."""
    if await _is_ours(work, room_id):
        return await _go_on(work, room_id)
    wish = await work.unit.adoptions.lock(room_id)
    if wish is None or wish.owner != work.cause.sender or not wish.proposed:
        return await ask(work, room_id, cap or (wish.cap if wish else None))
    await _note_wish(work, replace(wish, cap=cap or wish.cap))
    look = Inspect(room_id, answer="adopt", subject=_subject(wish), asked_at=work.unit.now, join=True)
    await work.owe(look, *acknowledge(work.cause, waiting=True))
    return None


async def _note_wish(work: Work, wish: Wish) -> bool:
    """Note a wish, unless another owner's stands; tells whether it was noted."""
    is_noted = await work.unit.adoptions.save(wish, work.unit.now)
    if is_noted:
        await work.unit.timers.set("adoption", wish.room_id, work.unit.now + STANDS_MS)
    return is_noted


def _look(work: Work, wish: Wish) -> Inspect:
    return Inspect(wish.room_id, answer="looked_at", subject=_subject(wish), asked_at=work.unit.now, join=True)


def _subject(wish: Wish) -> str:
    """Name the room and who asked: what comes back is no concern of another who has asked since."""
    return f"{wish.room_id} {wish.owner}"


async def cancel(work: Work, room_id: RoomId) -> Refusal | None:
    """Leave a room alone that was to be adopted."""
    wish = await work.unit.adoptions.lock(room_id)
    if wish is None or wish.owner != work.cause.sender:
        return refuse(Reason.NO_ADOPTION)
    await _give_up(work, room_id)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.dropped(room_id)))
    return None


async def expired(work: Work, room_id: RoomId) -> None:
    """Leave a room whose owner has not confirmed in time."""
    wish = await work.unit.adoptions.lock(room_id)
    await _give_up(work, room_id)
    if wish is not None:  # else its owner has been forgotten
        await work.owe(Tell(wish.owner, notice(say.not_confirmed(room_id))))


async def invited(work: Work, room_id: RoomId) -> bool:
    """Come in where the bot is invited into a room that is to be adopted; tells whether it is one."""
    wish = await work.unit.adoptions.lock(room_id)
    if wish is not None:
        await work.owe(_look(work, wish))
    return wish is not None


async def not_let_in(work: Work, room_id: RoomId, owner: UserId, error: str) -> None:
    """Tell an owner how the bot gets into the room."""
    wish = await work.unit.adoptions.lock(room_id)
    if wish is not None and wish.owner == owner:
        await work.owe(Tell(owner, notice(say.let_me_in(room_id, error))))


async def looked_at(work: Work, room_id: RoomId, owner: UserId, found: RoomState) -> None:
    """Tell an owner what adopting their room would change."""
    planned = await _planned(work, room_id, owner, found)
    if planned is not None:
        await work.unit.adoptions.save(Wish(room_id, owner, planned.cap, proposed=True), work.unit.now)
        await work.owe(Tell(owner, notice(say.proposal(planned, room_id))))


async def adopt(work: Work, room_id: RoomId, owner: UserId, found: RoomState) -> None:
    """Make a group of a room, as it is by now."""
    planned = await _planned(work, room_id, owner, found)
    if planned is not None:
        await work.unit.adoptions.drop(room_id)
        await work.unit.timers.clear("adoption", room_id)
        await _take_over(work, room_id, planned, found)


async def _planned(work: Work, room_id: RoomId, owner: UserId, found: RoomState) -> Plan | None:
    """Give what is to be done with a room while its owner's wish stands; a refusal is told to the owner, and where
    they can do nothing about it, the bot leaves."""
    wish = await work.unit.adoptions.lock(room_id)
    if wish is None or wish.owner != owner or await _is_ours(work, room_id):
        return None
    planned = plan(found, UserId(work.config.bot_mxid), owner, wish.cap, work.config.is_own_account)
    if isinstance(planned, Plan):
        return planned
    if planned.details["why"] != "power":
        await _give_up(work, room_id)
    await work.owe(Tell(owner, notice(sentence(planned))))
    return None


async def _give_up(work: Work, room_id: RoomId) -> None:
    await work.unit.adoptions.drop(room_id)
    await work.unit.timers.clear("adoption", room_id)
    if not await _is_ours(work, room_id):
        await work.owe(Leave(room_id))


async def _is_ours(work: Work, room_id: RoomId) -> bool:
    own = await work.unit.settings.get(OWN_ROOM)
    return room_id == own or await work.unit.rooms.get(room_id) is not None


async def _go_on(work: Work, room_id: RoomId) -> Refusal | None:
    """Refuse to adopt a room of ours; but where its desk could not be made, have that tried again."""
    room = await work.unit.rooms.get(room_id)
    if room is None or room.kind is not RoomKind.GROUP:
        return refuse(Reason.UNADOPTABLE, why="ours")
    group = await work.unit.groups.lock(room.subject)
    is_theirs = group.status is GroupStatus.CREATING and group.owner == work.cause.sender
    if not is_theirs or not await work.unit.told.forget(no_desk(group.id)):
        return refuse(Reason.UNADOPTABLE, why="ours")
    await work.owe(_desk(group), *acknowledge(work.cause, waiting=True))
    return None


def _desk(group: Group) -> CreateRoom:
    return CreateRoom(building.desk_room(group), answer="desk_room", subject=group.id)


# The taking over


async def _take_over(work: Work, room_id: RoomId, planned: Plan, found: RoomState) -> None:
    """Write a group down that consists of a room and who is in it, and owe what makes the room one."""
    group = _group(work, room_id, planned)
    await work.unit.groups.add(group, work.unit.now)
    await work.unit.rooms.add(Room(room_id, RoomKind.GROUP, group.id, planned.encryption))
    members = [await _seat(work, group, person) for person in planned.people]
    for member in members:
        await work.unit.groups.save_member(member, work.unit.now)
    owner = next(member.number for member in members if member.user_id == group.owner)
    concierges = planned.count(Role.OWNER) + planned.count(Role.CONCIERGE)
    await note(
        work, group.id, "adopted", number=owner, actor=owner, members=len(planned.joined), concierges=concierges,
        cap=group.cap,
    )  # fmt: skip
    await _make_private(work, group, found)
    await _put_off(work, group, planned.uninvited)
    said = notice(say.adopted_here(group, work.config.bot_mxid))
    await work.owe(SendEvent(room_id, message.TYPE, said, answer="adopted", subject=group.id), _desk(group))


def _group(work: Work, room_id: RoomId, planned: Plan) -> Group:
    defaults = work.config.groups
    return Group(
        id=GroupId(fresh_id()),
        name=planned.name,
        owner=planned.owner,
        cap=planned.cap,
        currency=defaults.currency,
        locale=defaults.locale,
        time_zone=defaults.time_zone,
        room_id=room_id,
        bot_power=planned.bot_power,
        kept=planned.kept,
        encrypted=defaults.encrypted or planned.encryption is not None,
    )


async def _seat(work: Work, group: Group, person: Person) -> Member:
    """Give the member that a person becomes: who is in the room gets a number and an alias."""
    member = Member(group.id, person.user_id, person.presence, power=person.power)
    if person.presence is Presence.INVITED:
        expires_at = work.unit.now + work.config.groups.invitation_days * DAY_MS
        await work.unit.timers.set("invitation", f"{group.id} {person.user_id}", expires_at)
        return Member(group.id, person.user_id, person.presence, power=person.power, invited_by=group.owner)
    if person.presence is not Presence.JOINED:
        return member
    number = await work.unit.groups.next_number(group.id)
    return Member(
        group.id,
        person.user_id,
        person.presence,
        power=person.power,
        number=number,
        alias=await aliases.give_friendly(work, group.id, number),
        joined_at=work.unit.now,
        name_key=alias_key(person.name) if person.name else None,
    )


async def _make_private(work: Work, group: Group, found: RoomState) -> None:
    """Owe what differs from how a group's room has to be. The power levels come first, so that nobody interferes."""
    assert group.room_id is not None
    rules = await rules_of(work, group, in_desk=False)
    for (type, key), content in drift(rules, found.contents()).items():
        reach = rules.reach if type == POWER_LEVELS else None
        await work.owe(SendState(group.room_id, type, key, content, reach))
    if found.listed or found.aliases:
        await work.owe(Unlist(group.room_id, found.aliases, answer="addresses", subject=group.id))


async def _put_off(work: Work, group: Group, uninvited: Sequence[UserId]) -> None:
    """Take invitations back for which there is no seat; those people are invited again when there is one."""
    assert group.room_id is not None
    for user_id in uninvited:
        wish = Waiting(group.id, user_id, asked_by=group.owner)
        await work.unit.waitlist.put(wish, work.unit.now)
        await work.owe(Kick(group.room_id, user_id, reason="the invitation was taken back", invited_only=True))


async def addresses_left(work: Work, group_id: GroupId, aliases: Sequence[str], *, listed: bool) -> None:
    """Tell the owner, who may not be in the desk yet, of what leads to the room and could not be removed."""
    group = await work.unit.groups.get(group_id)
    lines = [guarded.alias_stays(alias, in_desk=False) for alias in aliases]
    lines += [guarded.still_listed(in_desk=False)] if listed else []
    if lines:
        await work.owe(Tell(group.owner, notice("\n".join(lines))))


async def settled(work: Work, group_id: GroupId) -> None:
    """Look at an adopted room again once everything in it is as it has to be: somebody may have come meanwhile."""
    await work.unit.timers.set_earlier("inspection", group_id, work.unit.now)
