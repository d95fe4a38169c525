"""After the play: something to try, and how."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from urllib.parse import quote

from tests.demo.cast import CONCIERGE, EVERYBODY, MEMBERS, OWNER, PASSWORD
from tests.demo.play import GROUP, Play
from tests.demo.stage import Stage
from tests.demo.transcript import WIDTH, show


async def leave_open(stage: Stage) -> None:
    """Hand the accounts over, and say how to log in."""
    for name in EVERYBODY:
        await _mark_direct_rooms(stage, name)
        if name != CONCIERGE:  # who has a buy to open
            await stage[name].log_out()
            await stage[name].close()
    show()
    show("─" * WIDTH)
    show(_GUIDE.format(
        url=stage.homeserver.url,
        members=", ".join(name.lower() for name in MEMBERS),
        concierge=CONCIERGE.lower(),
        owner=OWNER.lower(),
        password=PASSWORD,
        group=GROUP,
    ))  # fmt: skip


async def open_another_on_enter(play: Play) -> None:
    """Have another buy opened when somebody says that they are there: their client can read nothing from before."""
    await _enter()
    await play.open_another()
    show(f"{CONCIERGE} has opened a group buy of a linen towel.")


async def _enter() -> None:
    """Return when somebody has pressed Enter here; never where nobody can."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    with contextlib.suppress(OSError, ValueError):  # no terminal
        loop.add_reader(sys.stdin, pressed.set)
    await pressed.wait()
    loop.remove_reader(sys.stdin)
    if not sys.stdin.readline():
        await asyncio.Event().wait()


async def _mark_direct_rooms(stage: Stage, name: str) -> None:
    """Element lists as people's rooms what the account says is direct."""
    person = stage[name]
    rooms = sorted(room for room in person.seen.direct_rooms if person.timeline(room))
    path = f"/_matrix/client/v3/user/{quote(person.user_id)}/account_data/m.direct"
    await person.request("PUT", path, {stage.bot: rooms})


_GUIDE = """
All of this stays up until you press Ctrl-C. Look at it, and join in:

  1. Open Element: the desktop app, or app.element.io in Chrome or Firefox
     (allow access to your local network if the browser asks). Choose “Sign in”.
  2. Homeserver: press Edit and enter   {url}
  3. Members     {members}
     Concierge   {concierge}
     Owner       {owner}
     Password    {password}   (the same for all)

The rooms: “{group}” is the group. “Desk: {group}” is the concierges' own room ({concierge}, {owner}).
Coterie itself is a direct chat, where the receipts are. What was said until now your client cannot decrypt: the keys
are with the clients of the play. Read it above.

What to try: log in as ana, and as otto in another browser. Then press Enter here: {concierge} opens another group buy.
  as ana   press +2 under its card, or reply +2 to it, or write !pledge 3, then !withdraw
  as otto  do the same, and see the card change and the price fall
  as ana   write !help to Coterie
  as ben   write at the desk: !buy close"""
