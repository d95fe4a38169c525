"""`shop.coterie.pledge`: a pledge that a client writes as an event of its own, instead of words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.domain.group_buy import MOST_UNITS
from appservice.domain.ids import BuyId, EventId
from appservice.domain.money import LARGEST_AMOUNT
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.wire.content import at, integer_at, text_at
from appservice.wire.pledge import MoreUnits, WholePledge

TYPE = "shop.coterie.pledge"

_FIELDS = ("version", "buy", "mode", "units", "variant", "upto", "max_price")
_ADDING = ("version", "buy", "mode", "units", "variant")
_LONGEST_ID = 40
_LONGEST_VARIANT = 100


@dataclass(frozen=True, slots=True)
class PledgeEvent:
    """What somebody's client asks for them: units more, or a whole pledge, in one group buy."""

    buy_id: BuyId
    wish: MoreUnits | WholePledge


def parse_pledge_event(content: Mapping[str, Any]) -> PledgeEvent | Refusal:
    """Give what is asked. Refused with the `field` that is missing, unknown or not what it has to be: what is read
    wrongly is other people's money. Fields with a dot in their name are not ours, and are left alone."""
    field = _wrong_field(content)
    if field is not None:
        return refuse(Reason.BAD_EVENT, field=field)
    units, variant = content["units"], content.get("variant")
    buy_id = BuyId(content["buy"])
    if content["mode"] == "add":
        return PledgeEvent(buy_id, MoreUnits(units, variant))
    flex = content.get("upto", units) - units
    return PledgeEvent(buy_id, WholePledge(units, flex, content.get("max_price"), variant))


def parse_replaced(content: Mapping[str, Any]) -> EventId | None:
    """Give the event that this one is to replace, or None where it is no edit."""
    if at(content, "m.relates_to", "rel_type") != "m.replace":
        return None
    return EventId(text_at(content, "m.relates_to", "event_id") or "")


def _wrong_field(content: Mapping[str, Any]) -> str | None:
    mode, units = content.get("mode"), integer_at(content, "units", most=MOST_UNITS)
    is_right = {
        "version": integer_at(content, "version") == 1,
        "buy": text_at(content, "buy", longest=_LONGEST_ID) is not None,
        "mode": mode in ("add", "set"),
        "units": units is not None and (units > 0 or mode == "set"),
        "variant": text_at(content, "variant", longest=_LONGEST_VARIANT) is not None,
        "upto": integer_at(content, "upto", least=max(units or 0, 1), most=MOST_UNITS) is not None and units != 0,
        "max_price": integer_at(content, "max_price", least=1, most=LARGEST_AMOUNT) is not None and units != 0,
    }
    always = _FIELDS[:4]
    wrong = (name for name in _FIELDS if (name in always or name in content) and not is_right[name])
    known = _ADDING if mode == "add" else _FIELDS
    unknown = (name for name in content if name not in known and "." not in name)
    return next(wrong, None) or next(unknown, None)
