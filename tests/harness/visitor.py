"""A member who looks in now and then: so many of them can be in one room."""

from __future__ import annotations

from collections.abc import Iterable

from tests.harness.answers import accepted
from tests.harness.person import Person


class Visitor(Person):
    """Somebody with the app closed: their client syncs when they `look`, and at no other time.

    Their keys go to those named at `come_in`, and to nobody else: sixty clients that each give theirs to sixty others
    are a test of nio. Waiting methods of theirs wait in vain.
    """

    async def come_in(self, room: str, reads: Iterable[str]) -> None:
        """Accept an invitation; only `reads` (user ids) can decrypt what they write."""
        self.device.confides_in = frozenset(reads)
        accepted(await self.client.join(room))
        await self.look()

    async def look(self) -> None:
        """Open the app: what has come since the last time is seen now."""
        await self._sync(0)

    async def _sync_for_ever(self) -> None:
        """Do not."""
