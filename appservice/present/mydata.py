"""`!mydata`: everything personal that the service keeps about one person, as a file for them. No Matrix ids in it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from appservice.domain.group import Group
from appservice.domain.member import Member, Presence, Role
from appservice.domain.money import to_decimal
from appservice.store.personal import (
    Asked,
    Booked,
    Ordered,
    PledgedUnits,
    Proposed,
    Questioned,
    Recommended,
    Said,
    Unplaced,
)

FILE_NAME = "mydata.json"
MIMETYPE = "application/json"
_ID = re.compile(r"@[^\s@:]+:[^\s,;)”\"]+")
_PRESENCE = {
    Presence.INVITED: "invited",
    Presence.JOINED: "in the group",
    Presence.LEFT: "not in the group any more",
    Presence.BANNED: "banned from the group",
}
_ROLES = {Role.MEMBER: "member", Role.CONCIERGE: "concierge", Role.OWNER: "owner"}


@dataclass(frozen=True, slots=True)
class InGroup:
    """What one group keeps about a person; without `member` they only wait for a seat, at `place`."""

    group: Group
    member: Member | None
    place: int | None = None
    aliases: Sequence[str] = ()
    was_vouched_for: bool = False
    sponsored: Sequence[str] = ()
    asked: Sequence[Asked] = ()
    codes_expire_at: Sequence[int] = ()
    pledged: Sequence[PledgedUnits] = ()
    ordered: Sequence[Ordered] = ()
    recommended: Sequence[Recommended] = ()
    liked: Sequence[str] = ()
    booked: Sequence[Booked] = ()
    said: Sequence[Said] = ()
    questioned: Sequence[Questioned] = ()
    proposed: Sequence[Proposed] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that is kept about a person."""

    groups: Sequence[InGroup]
    has_direct_room: bool
    wrong_codes: int
    said: Sequence[Said]
    unplaced: Sequence[Unplaced] = ()


def mydata(known: Known, now: int) -> str:
    """Give the file: JSON, times in UTC, amounts as exact decimals with their currency."""
    content = {
        "account": "the Matrix account you wrote from",
        "written_at": _time(now),
        "direct_room": _direct(known.has_direct_room),
        "wrong_codes_tried_lately": known.wrong_codes,
        "told_once": [_said(said) for said in known.said],
        "questions_without_a_group": [_unplaced(one) for one in known.unplaced],
        "groups": [_in_group(part) for part in known.groups],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _direct(is_there: bool) -> str:
    if not is_there:
        return "none is kept"
    return "your Matrix ID is kept as the address of the room in which you and the service talk"


def _in_group(part: InGroup) -> Mapping[str, Any]:
    group, member = part.group, part.member
    return {
        "group": group.name,
        "id": group.id,
        "status": group.status.value,
        "number": member.number if member else None,
        "aliases": list(part.aliases),
        "alias": member.alias if member else None,
        "presence": _PRESENCE[member.presence] if member else "waiting for a seat",
        "role": _ROLES[Role.of(member.power)] if member and member.takes_seat else None,
        "joined_at": _time(member.joined_at) if member and member.joined_at is not None else None,
        "on_duty": member.duty if member else None,
        "counts_as_a_program": member.machine if member else None,
        "display_name_as_compared": member.name_key if member else None,
        "was_vouched_for": part.was_vouched_for,
        "sponsored": list(part.sponsored),
        "vouching_suspended_because": _without_ids(member.suspended) if member and member.suspended else None,
        "place_on_the_waitlist": part.place,
        "asked_of_the_concierges": [_asked(asked) for asked in part.asked],
        "invitation_codes": [{"expires_at": _time(at)} for at in part.codes_expire_at],
        "pledges": [_pledged(pledged) for pledged in part.pledged],
        "orders": [_ordered(ordered) for ordered in part.ordered],
        "recommendations": [{"at": _time(one.at), "product": one.product, "why": one.why} for one in part.recommended],
        "likes": list(part.liked),
        "questions": [_questioned(one) for one in part.questioned],
        "pledges_written_down_for_you": [_proposed(one) for one in part.proposed],
        "ledger": [_booked(booked) for booked in part.booked],
        "told_once": [_said(said) for said in part.said],
    }


def _asked(asked: Asked) -> Mapping[str, Any]:
    wish = "an invitation code" if asked.is_code else "an invitation for a person"
    return {"at": _time(asked.at), "for": wish, "why": _without_ids(asked.why)}


def _pledged(pledged: PledgedUnits) -> Mapping[str, Any]:
    return {
        "buy": pledged.buy_id,
        "product": pledged.product,
        "status": pledged.status,
        "units": pledged.units,
        "flexible_units": pledged.flexible,
        "maximum": None if pledged.maximum is None else _amount(pledged.maximum, pledged.currency),
    }


def _ordered(ordered: Ordered) -> Mapping[str, Any]:
    return {
        "order": ordered.id,
        "at": _time(ordered.at),
        "buy": ordered.buy_id,
        "product": ordered.product,
        "units": ordered.units,
        "unit_price": _amount(ordered.unit_price, ordered.currency),
        "total": _amount(ordered.total, ordered.currency),
    }


def _booked(booked: Booked) -> Mapping[str, Any]:
    return {
        "at": _time(booked.at),
        "fact": booked.fact,
        "buy": booked.buy_id,
        "units": booked.units,
        "amount": _amount(booked.amount, booked.currency) if booked.currency else None,
    }


def _questioned(one: Questioned) -> Mapping[str, Any]:
    return {
        "at": _time(one.at),
        "status": one.status,
        "you_wrote": [_without_ids(text) for text in one.texts],
        "with_a_picture": one.has_picture,
        "noted_by_concierges": [_without_ids(note) for note in one.notes],
    }


def _unplaced(one: Unplaced) -> Mapping[str, Any]:
    return {"at": _time(one.at), "you_wrote": _without_ids(one.text), "with_a_picture": one.has_picture}


def _proposed(one: Proposed) -> Mapping[str, Any]:
    return {"at": _time(one.at), "buy": one.buy_id, "pledge": one.words or "confirmed by you"}


def _said(said: Said) -> Mapping[str, Any]:
    return {"what": _without_ids(said.what), "at": _time(said.at)}


def _amount(minor: int, currency: str) -> str:
    """Give an amount as `79.00 EUR`, exact whatever its size."""
    return f"{to_decimal(minor, currency):f} {currency}"


def _time(at: int) -> str:
    """Give a time (ms) by ISO 8601, in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _without_ids(text: str) -> str:
    """Give what people wrote less the Matrix ids in it."""
    return _ID.sub("(a Matrix ID)", text)
