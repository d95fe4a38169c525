"""The tree of who vouched for whom."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.sponsors import branches


def a_member(number: int, sponsor: int | None = None, presence: Presence = Presence.JOINED) -> Member:
    return Member(
        GroupId("g"), UserId(f"@p{number}:x"), presence, number=Number(number), alias=f"Otter {number}",
        sponsor=Number(sponsor) if sponsor else None,
    )  # fmt: skip


@st.composite
def groups(draw: st.DrawFn) -> list[Member]:
    """Members of whom each has an earlier one as their sponsor, or none: a sponsor had their number before."""
    size = draw(st.integers(0, 30))
    return [a_member(n, draw(st.integers(0, n - 1)) or None) for n in range(1, size + 1)]


def test_each_member_stands_below_their_sponsor_indented_in_the_order_of_numbers() -> None:
    members = [a_member(1), a_member(2, 1), a_member(3), a_member(4, 2), a_member(5, 1), a_member(6, 3)]
    assert branches(members) == [
        "Otter 1",
        "  Otter 2",
        "    Otter 4",
        "  Otter 5",
        "Otter 3",
        "  Otter 6",
    ]


def test_a_line_says_who_runs_the_group_who_has_left_and_who_may_not_vouch() -> None:
    members = [
        replace(a_member(1), power=Role.OWNER),
        replace(a_member(2, 1), power=Role.CONCIERGE),
        replace(a_member(3, 2), suspended="too many"),
        replace(a_member(4, 3, Presence.LEFT), suspended="too many"),
        a_member(5, 4, Presence.BANNED),
        replace(a_member(6, presence=Presence.LEFT), power=Role.OWNER),
    ]
    assert branches(members) == [
        "Otter 1 (owner)",
        "  Otter 2 (concierge)",
        "    Otter 3 (may not vouch)",
        "      Otter 4 (left, may not vouch)",
        "        Otter 5 (left)",
        "Otter 6 (left)",
    ]


def test_who_was_only_invited_has_no_line_and_a_sponsor_who_is_not_known_makes_no_difference() -> None:
    invited = Member(GroupId("g"), UserId("@pia:x"), Presence.INVITED, sponsor=Number(1))
    assert branches([invited, a_member(2, 1), a_member(3, 3)]) == ["Otter 2", "Otter 3"]


@given(groups(), st.randoms())
def test_everybody_has_one_line_right_below_their_sponsors_branch(members: list[Member], random: object) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    lines = branches(shuffled)
    assert sorted(line.strip() for line in lines) == sorted(str(member.alias) for member in members)
    by_alias = {member.alias: member for member in members}
    above: list[Number | None] = []  # who stands at each depth on the way to this line
    for line in lines:
        member = by_alias[line.strip()]
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [member.number]
        assert (above[depth - 1] if depth else None) == member.sponsor


def test_a_long_chain_is_shown_whole() -> None:
    lines = branches([a_member(n, n - 1 or None) for n in range(1, 501)])
    assert len(lines) == 500 and lines[-1] == "  " * 20 + "Otter 500"


def test_a_long_chain_is_indented_no_further_than_twenty_levels() -> None:
    lines = branches([a_member(n, n - 1 or None) for n in range(1, 31)])
    assert [len(line) - len(line.lstrip()) for line in lines] == [2 * min(n, 20) for n in range(30)]
