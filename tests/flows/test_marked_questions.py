"""What a concierge marks with ❓ was chatter until then: its edits count all the same, before and after."""

from __future__ import annotations

import pytest

from tests.flows.helped import line_now, lines
from tests.flows.journey import Journey


async def marked(circle: Journey, *, before: bool) -> str:
    """The line about a message that its member has reworded `before` a concierge marked it, or after."""
    said = await circle.say(circle.ana, "I wonder whether it is soft")
    steps = [
        lambda: circle.ana.edit(circle.group, said, "I wonder whether it is warm"),
        lambda: circle.ben.react(circle.group, said, "❓"),
    ]
    for step in steps if before else reversed(steps):
        step()
        await circle.rest()
    await circle.settle()
    [line] = lines(circle)
    return line_now(circle, line)


@pytest.mark.parametrize("before", [True, False])
async def test_a_marked_message_is_shown_as_its_member_has_reworded_it(before: bool, circle: Journey) -> None:
    assert "\n> I wonder whether it is warm\n" in await marked(circle, before=before)


@pytest.mark.parametrize("before", [True, False])
async def test_so_it_is_in_an_encrypted_group(sealed: None, before: bool, circle: Journey) -> None:
    assert "\n> I wonder whether it is warm\n" in await marked(circle, before=before)


async def test_what_somebody_else_edits_into_it_is_not_its_text(circle: Journey) -> None:
    said = await circle.say(circle.ana, "I wonder whether it is soft")
    circle.otto.edit(circle.group, said, "I wonder whether it is stolen")
    await circle.rest()
    circle.ben.react(circle.group, said, "❓")
    await circle.rest()
    [line] = lines(circle)
    assert "\n> I wonder whether it is soft\n" in line_now(circle, line)
