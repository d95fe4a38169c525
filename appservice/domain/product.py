"""A product: what is offered, with its price and the merchant's link."""

import re
from dataclasses import dataclass

from yarl import URL

from appservice.domain.attachment import FileKey
from appservice.domain.ids import EventId, GroupId, Number, ProductId
from appservice.domain.text import fold

LONGEST_LINK = 1000
_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on the homeserver; sizes in pixels and bytes, None where the sender did not say. `key` opens it where it
    is stored encrypted."""

    url: str
    mimetype: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    key: FileKey | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a group. `price` is the single price in minor units of `currency`."""

    id: ProductId
    group_id: GroupId
    sku: str
    name: str
    price: int
    currency: str
    link: str
    posted_by: Number
    posted_at: int
    picture: Picture | None = None
    event_id: EventId | None = None


def parse_sku(text: str) -> str | None:
    """Give a SKU: letters, digits, dot, dash and underscore, at most 40, or None."""
    return text if _SKU.fullmatch(text) else None


def sku_from(name: str, taken: frozenset[str]) -> str:
    """Make a SKU from a name, as `merino-throw` or, where that is taken, `merino-throw-2`."""
    base = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:32].strip("-") or "item"
    candidates = [base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))]
    return next(sku for sku in candidates if sku not in taken)


def parse_link(text: str) -> str | None:
    """Give an absolute http(s) link with a host and without credentials, as it was typed, or None.

    A host in other letters than ASCII is given as `xn--…`, so that nobody takes it for the one that it looks like.
    """
    if len(text) > LONGEST_LINK or any(char.isspace() or ord(char) < 32 for char in text):
        return None
    try:
        url = URL(text)
        plain = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except (ValueError, IndexError):  # yarl raises the latter for https://[::1]@
        return None
    if not plain or url.user is not None or url.password is not None:
        return None
    safe = text if url.host is not None and url.host.isascii() else str(url)
    return safe if len(safe) <= LONGEST_LINK else None
