"""Long lists, cut into messages that are no event too large."""

import json

from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.group import Group
from appservice.domain.ids import GroupId, UserId
from appservice.present.text import LARGEST_PAGE, Text, notice, pages
from appservice.present.words.seats import tree, waitlist

GROUP = Group(GroupId("g"), "Wool circle", UserId("@rosa:x"), 200, "EUR", "en", "UTC")
LARGEST_EVENT = 60_000


def size(text: Text | str) -> int:
    return len(json.dumps(notice(text), ensure_ascii=False).encode())


@given(st.lists(st.text("a'漢 &", max_size=4000), max_size=30))
def test_pages_hold_every_line_once_in_order_and_none_is_too_large(lines: list[str]) -> None:
    found = pages(lines)
    assert [line for page in found for line in page] == lines
    assert all(len("\n".join(page).encode()) <= LARGEST_PAGE for page in found if len(page) > 1)


def test_a_huge_tree_and_a_huge_waitlist_come_in_several_messages() -> None:
    lines = [" " * 40 + "'" * 30 + str(n) for n in range(600)]
    said = tree(GROUP, lines)
    assert len(said) > 1 and max(map(size, said)) < LARGEST_EVENT
    assert [line for text in said for line in text.plain.split("\n")[1:]] == lines
    assert said[0].plain.startswith("Who vouched for whom in “Wool circle”:\n")
    assert said[1].plain.startswith("Who vouched for whom in “Wool circle” (continued):\n")
    waiting = [(f"@w{n}:{'x' * 200}.org", "Otter vouches for them") for n in range(1500)]
    listed = waitlist(GROUP, waiting)
    assert len(listed) > 1 and max(map(size, listed)) < LARGEST_EVENT
    assert listed[-1].split("\n")[-1].startswith("1500. @w1499:")
