"""What a journey has come to, less what chance decides: to be compared with that of another run."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tests.flows.journey import BUY, Journey, name_of
from tests.harness.replay import assert_every_ledger_says_all


async def outcome(play: Journey) -> dict[str, Any]:
    """Database and rooms as names and plain texts; equal for two runs in which the same was decided and told."""
    await assert_every_ledger_says_all(play.service.store)
    plain = await _plainly(play)
    people = [person for mxid, person in sorted(play.hs._people.items())]
    ledger = await play.ledger()
    return {
        "members": await play.members(),
        "buy": (await play.service.rows("SELECT status, announced FROM group_buy"))[0],
        "pledged": {name: sorted(tranches, key=str) for name, tranches in (await play.pledged()).items()},
        "orders": await play.orders(),
        "ledger": Counter(ledger),
        "told": {name_of(person.mxid): sorted(map(plain, play.told(person))) for person in people},
        "welcomes": {name_of(person.mxid): len(play.welcomes(person)) for person in people},
        "receipts": {name_of(person.mxid): len(play.receipts(person)) for person in people},
        "posted": [plain(text) for text in play.posted()],
        "desk": [plain(text) for text in play.posted(play.desk)],
        "signs": {plain(words): keys for words, keys in _signs(play).items()},
        "card": plain(play.card_text),
        "state": plain(str(play.room.content(BUY, play.buy))),
        "pinned": len(play.room.pinned),
        "joined": sorted(play.room.joined),
        "rooms": Counter((room.name, tuple(sorted(room.joined))) for room in play.hs.world.rooms.values()),
    }


def _signs(play: Journey) -> dict[str, list[str]]:
    """The service's reactions on what people wrote, by author and words."""
    found: dict[str, list[str]] = {}
    for room in play.hs.world.rooms.values():
        for event in room.events:
            if event.type == "m.room.message" and event.sender != play.hs.bot:
                key = f"{name_of(event.sender)}: {event.original.get('body')}"
                found.setdefault(key, []).extend(play.signs(event.event_id))
    return found


async def _plainly(play: Journey) -> Any:
    """A function that takes random ids, aliases and times of the day out of a text."""
    rows = play.service.rows
    ids = {row["id"] for table in ("coterie_group", "product", "group_buy", "purchase_order")
           for row in await rows(f"SELECT id FROM {table}")}  # fmt: skip
    ids |= {row["line_id"] for row in await rows("SELECT line_id FROM purchase_order")} | {play.card}
    known = await rows("SELECT alias, user_id FROM member WHERE alias IS NOT NULL")
    names = {row["alias"]: name_of(row["user_id"]) for row in known}

    def plain(text: str) -> str:
        for id in ids:
            text = text.replace(id, "ID")
        for alias, name in names.items():
            text = text.replace(alias, name)
        text = re.sub(r"'(closes|opens)_at': \d+", "", text)
        text = re.sub(r"\d\d:\d\d", "hh:mm", text)
        text = re.sub(r"\d+ more and", "N more and", text)  # rooms are worked on side by side
        head, *lines = text.split("\n")
        return "\n".join([head, *(sorted(lines) if " closed: " in head else lines)])

    return plain


def differences(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Where two outcomes differ, one line each; empty where they are the same."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted({*found, *wanted}, key=str)
        return [line for key in keys for line in differences(found.get(key), wanted.get(key), f"{path}/{key}")]
    return [] if found == wanted else [f"{path}: {found!r}, not {wanted!r}"]
