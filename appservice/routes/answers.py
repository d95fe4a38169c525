"""What comes back from the homeserver: the outcome of an effect that names an `answer`, and who is told of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from appservice.actions import (
    adoption,
    asking,
    cards,
    catching_up,
    deciding,
    desk_lines,
    directs,
    exporting,
    group_card,
    groups,
    help_rooms,
    helping,
    inspection,
    products,
    proposing,
    seats,
    stats,
)
from appservice.actions.work import Work
from appservice.domain.ids import BuyId, EventId, GroupId, ProductId, RoomId, UserId
from appservice.domain.question import QuestionId
from appservice.routes.arrivals import ROUTES
from appservice.store.inbox import KEPT_MS
from appservice.store.rooms import Room, RoomKind
from appservice.wire.content import integer_at
from appservice.wire.event import parse_event
from appservice.wire.message import parse_picture
from appservice.wire.remark import parse_remark
from appservice.wire.room_state import RoomState, parse_room

Answer = Mapping[str, Any]


async def _on_group_room(work: Work, answer: Answer) -> None:
    await _on_room(work, answer, RoomKind.GROUP)


async def _on_desk_room(work: Work, answer: Answer) -> None:
    await _on_room(work, answer, RoomKind.DESK)


async def _on_room(work: Work, answer: Answer, kind: RoomKind) -> None:
    group_id = GroupId(answer["subject"])
    if "error" in answer:
        await groups.room_refused(work, group_id, answer["error"])
    else:
        room = Room(RoomId(answer["room_id"]), kind, group_id, answer.get("encryption"))
        await groups.room_made(work, room)


async def _on_direct_room(work: Work, answer: Answer) -> None:
    if "error" in answer:
        await directs.not_made(work, UserId(answer["subject"]), None)
    else:
        encryption = answer.get("encryption")
        await directs.made(work, UserId(answer["subject"]), RoomId(answer["room_id"]), encryption)


async def _on_direct_invited(work: Work, answer: Answer) -> None:
    if "error" in answer:
        await directs.not_made(work, UserId(answer["subject"]), RoomId(answer["effect"]["room_id"]))


async def _on_direct_joined(work: Work, answer: Answer) -> None:
    room_id = RoomId(answer["effect"]["room_id"])
    if "error" in answer or answer["said"] is None:
        await directs.not_joined(work, UserId(answer["subject"]), room_id)
    else:
        since = work.unit.now - KEPT_MS // 2
        said = [raw for raw in answer["said"] if _is_to_be_heard(raw, since)]
        await directs.joined(work, UserId(answer["subject"]), room_id, said, answer.get("encryption"))


def _is_to_be_heard(raw: object, since: int) -> bool:
    """Tell whether an event that did not pass the intake is one to act on. What is older than the journal remembers
    would be acted on a second time in a room that is used again."""
    event, sent_at = parse_event(raw), integer_at(raw, "origin_server_ts")
    return event is not None and event.type in ROUTES and sent_at is not None and sent_at > since


async def _on_direct_lost(work: Work, answer: Answer) -> None:
    await directs.lost(work, UserId(answer["subject"]), RoomId(answer["room_id"]))


async def _on_help_room(work: Work, answer: Answer) -> None:
    if "error" in answer:
        await help_rooms.not_made(work, QuestionId(answer["subject"]), answer["error"])
    else:
        encryption = answer.get("encryption")
        await help_rooms.made(work, QuestionId(answer["subject"]), RoomId(answer["room_id"]), encryption)


async def _on_help_invited(work: Work, answer: Answer) -> None:
    if "error" in answer:
        room_id, user_id = RoomId(answer["effect"]["room_id"]), UserId(answer["effect"]["user_id"])
        await helping.not_invited(work, QuestionId(answer["subject"]), room_id, user_id, answer["error"])


async def _on_invited(work: Work, answer: Answer) -> None:
    if "error" in answer:
        group_id, room_id = GroupId(answer["subject"]), RoomId(answer["effect"]["room_id"])
        user_id = UserId(answer["effect"]["user_id"])
        await seats.invitation_failed(work, group_id, room_id, user_id, answer["error"])


async def _on_card(work: Work, answer: Answer) -> None:
    await cards.card_sent(work, BuyId(answer["subject"]), RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_group_card(work: Work, answer: Answer) -> None:
    event_id = None if "error" in answer else EventId(answer["event_id"])
    await group_card.sent(work, GroupId(answer["subject"]), event_id)


async def _on_result(work: Work, answer: Answer) -> None:
    await cards.result_sent(work, BuyId(answer["subject"]), RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_vouch_line(work: Work, answer: Answer) -> None:
    await deciding.line_posted(work, answer["subject"], RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_question_line(work: Work, answer: Answer) -> None:
    event_id = EventId(answer["event_id"])
    id = await desk_lines.posted(work, answer["subject"], RoomId(answer["room_id"]), event_id)
    if id is not None:
        await asking.line_posted(work, id, event_id)


async def _on_question_edit(work: Work, answer: Answer) -> None:
    await desk_lines.edit_posted(work, answer["subject"], RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_question_read(work: Work, answer: Answer) -> None:
    was_encrypted = bool(answer.get("was_encrypted"))
    event = None if "error" in answer else parse_event(answer["event"], was_encrypted=was_encrypted)
    if event is None:
        return
    remark = parse_remark(event.content)
    edit = parse_event(answer["edit"], was_encrypted=was_encrypted) if answer.get("edit") else None
    newest = parse_remark(edit.content) if edit is not None and edit.sender == event.sender else None
    if remark is not None and newest is not None and newest.edits == event.event_id:
        remark = replace(remark, text=newest.text)
    await asking.read(work, answer["subject"], event, remark)


async def _on_help_greeting(work: Work, answer: Answer) -> None:
    await help_rooms.greeted(work, answer["subject"], RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_question_picture(work: Work, answer: Answer) -> None:
    if "error" not in answer:  # a picture that cannot be shown is still to be seen where the question was asked
        room_id = RoomId(answer["effect"]["room_id"])
        await desk_lines.edit_posted(work, answer["subject"], room_id, EventId(answer["event_id"]))


async def _on_proposal(work: Work, answer: Answer) -> None:
    await proposing.sent(work, answer["subject"], RoomId(answer["room_id"]), EventId(answer["event_id"]))


async def _on_product_card(work: Work, answer: Answer) -> None:
    await products.shown(work, ProductId(answer["subject"]), EventId(answer["event_id"]))


async def _on_picture(work: Work, answer: Answer) -> None:
    picture = None if "error" in answer else parse_picture(answer["event"].get("content"))
    await products.picture_read(work, answer["subject"], picture)


async def _on_pictured(work: Work, answer: Answer) -> None:
    if "error" in answer:
        await products.picture_left_out(work, ProductId(answer["subject"]))


async def _on_looked_at(work: Work, answer: Answer) -> None:
    await _on_adoption(work, answer, adoption.looked_at)


async def _on_adopt(work: Work, answer: Answer) -> None:
    await _on_adoption(work, answer, adoption.adopt)


async def _on_adoption(
    work: Work, answer: Answer, act: Callable[[Work, RoomId, UserId, RoomState], Awaitable[None]]
) -> None:
    room_id, _, owner = str(answer["subject"]).partition(" ")
    found = None if "error" in answer else parse_room(answer)
    if found is None:
        await adoption.not_let_in(work, RoomId(room_id), UserId(owner), answer.get("error", "M_UNKNOWN"))
    else:
        await act(work, RoomId(room_id), UserId(owner), found)


async def _on_addresses(work: Work, answer: Answer) -> None:
    if "error" not in answer:  # the hourly inspection finds them again
        await adoption.addresses_left(work, GroupId(answer["subject"]), answer["left"], listed=answer["listed"])


async def _on_adopted(work: Work, answer: Answer) -> None:
    await adoption.settled(work, GroupId(answer["subject"]))


async def _on_read_back(work: Work, answer: Answer) -> None:
    if "error" not in answer:
        await catching_up.read_back(work, RoomId(answer["room_id"]), answer["events"])


async def _on_inspected(work: Work, answer: Answer) -> None:
    room = None if "error" in answer else parse_room(answer)
    if room is not None:
        await inspection.inspected(work, GroupId(answer["subject"]), room)


async def _on_unlisted(work: Work, answer: Answer) -> None:
    if "error" not in answer:
        await inspection.unlisted(work, GroupId(answer["subject"]), RoomId(answer["room_id"]), answer)


async def _on_export(work: Work, answer: Answer) -> None:
    group_id, _, name = str(answer["subject"]).partition(" ")
    if "error" in answer:
        await exporting.not_uploaded(work, GroupId(group_id), name, answer["error"])


async def _on_stats(work: Work, answer: Answer) -> None:
    group_id, posting, name = str(answer["subject"]).split(" ")
    if "error" in answer:
        await stats.not_uploaded(work, GroupId(group_id), posting, name, answer["error"])


ANSWERS: Mapping[str, Callable[[Work, Answer], Awaitable[None]]] = {
    "group_room": _on_group_room,
    "desk_room": _on_desk_room,
    "direct_room": _on_direct_room,
    "direct_invited": _on_direct_invited,
    "direct_joined": _on_direct_joined,
    "direct_lost": _on_direct_lost,
    "help_room": _on_help_room,
    "help_invited": _on_help_invited,
    "invited": _on_invited,
    "card": _on_card,
    "group_card": _on_group_card,
    "result": _on_result,
    "product_card": _on_product_card,
    "picture": _on_picture,
    "pictured": _on_pictured,
    "vouch_line": _on_vouch_line,
    "question_line": _on_question_line,
    "question_edit": _on_question_edit,
    "question_picture": _on_question_picture,
    "help_greeting": _on_help_greeting,
    "question_read": _on_question_read,
    "proposal": _on_proposal,
    "looked_at": _on_looked_at,
    "adopt": _on_adopt,
    "adopted": _on_adopted,
    "addresses": _on_addresses,
    "inspected": _on_inspected,
    "read_back": _on_read_back,
    "unlisted": _on_unlisted,
    "export": _on_export,
    "stats": _on_stats,
}
