"""What a concierge's client or bot asks for under the key `shop.coterie.group_buy`, in state or in a message.

Only what is to change has to be there. What the service itself writes into its published picture may stay in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appservice.domain.clearing import Tier
from appservice.domain.group_buy import Status
from appservice.domain.money import Tax
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name, without_ids
from appservice.wire.content import at, integer_at, text_at

LONGEST_REASON = 300
_WRONG = object()
_Reader = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class BuyRequest:
    """A group buy as somebody wants it; None, and what `terms` does not name, stays as it is.

    `terms` are fields of `group_buy.Terms` by name. A product is named by `product_id`, `sku` or both. `reason` goes
    with the end of a buy, or with a step after it.
    """

    id: str | None = None
    status: Status | None = None
    reason: str = ""
    product_id: str | None = None
    sku: str | None = None
    currency: str | None = None
    exponent: int | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)


def parse_buy_request(content: object) -> BuyRequest | Refusal:
    """Give what is asked for, or a refusal (BAD_REQUEST) that names the first field that is wrong or unknown."""
    if not isinstance(content, dict) or not content:
        return refuse(Reason.BAD_REQUEST, field="", why="empty")
    fields: dict[str, Any] = {}
    for name, value in content.items():
        if name in _OWN or "." in name:
            continue
        reader = _READERS.get(name)
        if reader is None:
            return refuse(Reason.BAD_REQUEST, field=name, why="unknown")
        fields[name] = reader(value)
        if fields[name] is _WRONG:
            return refuse(Reason.BAD_REQUEST, field=name, why="wrong")
    product_id, sku = fields.get("product", (None, None))
    return BuyRequest(
        id=fields.get("id"),
        status=fields.get("status"),
        reason=fields.get("reason", ""),
        product_id=product_id,
        sku=sku,
        currency=fields.get("priceCurrency"),
        exponent=fields.get("exponent"),
        terms={_TERMS[name]: value for name, value in fields.items() if name in _TERMS},
    )


def _text(value: object) -> object:
    text = text_at(value)
    return _WRONG if text is None else text


def _whole(value: object) -> object:
    number = integer_at(value)
    return _WRONG if number is None else number


def _whole_or_none(value: object) -> object:
    return None if value is None else _whole(value)


def _version(value: object) -> object:
    return 1 if integer_at(value) == 1 else _WRONG


def _status(value: object) -> object:
    return _STATUSES.get(value, _WRONG) if isinstance(value, str) else _WRONG


def _reason(value: object) -> object:
    text = text_at(value, longest=LONGEST_REASON)
    name = clean_name(without_ids(text), LONGEST_REASON) if text is not None else None
    return _WRONG if name is None else name


def _product(value: object) -> object:
    """Give the product's id and SKU, one of which may be None. What else its card says of it is not looked at."""
    if isinstance(value, str):
        return (None, value) if text_at(value) else _WRONG
    named = {name: text_at(value, name) for name in ("id", "sku") if at(value, name) is not None}
    return (named.get("id"), named.get("sku")) if named and None not in named.values() else _WRONG


def _tiers(value: object) -> object:
    tiers = []
    for raw in value if isinstance(value, list) else [None]:
        minimum, unit_price = integer_at(raw, "minimum"), integer_at(raw, "unit_price")
        if minimum is None or unit_price is None:
            return _WRONG
        tiers.append(Tier(minimum, unit_price))
    return tuple(tiers)


def _variants(value: object) -> object:
    labels = [text_at(raw) for raw in value] if isinstance(value, list) else [None]
    return _WRONG if None in labels else tuple(labels)


def _tax(value: object) -> object:
    if value is None:
        return None
    rate, inclusive = integer_at(value, "rate"), at(value, "inclusive")
    if rate is None or not isinstance(inclusive, bool | None):
        return _WRONG
    return Tax(rate, inclusive is not False)


_STATUSES: Mapping[str, Status] = {**{status.value: status for status in Status}, "closed": Status.CLOSING}
_OWN = ("card", "unit_price", "total", "lines")
"""What only the service says."""
_READERS: Mapping[str, _Reader] = {
    "version": _version,
    "id": _text,
    "status": _status,
    "reason": _reason,
    "product": _product,
    "priceCurrency": _text,
    "exponent": _whole,
    "tiers": _tiers,
    "closes_at": _whole,
    "opens_at": _whole_or_none,
    "pack": _whole,
    "cap": _whole_or_none,
    "least": _whole,
    "most": _whole_or_none,
    "step": _whole,
    "variants": _variants,
    "shared_cost": _whole,
    "tax": _tax,
}
_TERMS: Mapping[str, str] = {
    "closes_at": "deadline_at",
    **{name: name for name in (
        "tiers", "opens_at", "pack", "cap", "least", "most", "step", "variants", "shared_cost", "tax")},
}  # fmt: skip
