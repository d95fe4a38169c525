"""After the play: something to try, and how."""

from __future__ import annotations

from urllib.parse import quote

from tests.demo.cast import CONCIERGE, EVERYBODY, MEMBERS, OWNER, PASSWORD
from tests.demo.play import GROUP, Play
from tests.demo.stage import Stage
from tests.demo.transcript import WIDTH, show


async def leave_open(stage: Stage, play: Play) -> None:
    """Open a buy for whoever wants to try, hand the accounts over, and say how to log in."""
    await play.open_another()
    for name in EVERYBODY:
        await _mark_direct_rooms(stage, name)
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
Coterie itself is a direct chat, where the receipts are.

What to try: {concierge} has just opened another group buy, of a linen towel.
  as ana   press +2 under its card, or reply +2 to it, or write !pledge 3, then !withdraw
  as otto  do the same, and see the card change and the price fall
  as ana   write !help to Coterie
  as ben   write at the desk: !buy close"""
