"""Admission over a group's life: whatever happens in whatever order, no more seats are taken than there are."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.admission import Seat, admit, enter
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import GroupId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.refusal import Reason, Refusal

GROUP = Group(GroupId("g"), "Wool circle", UserId("@rosa:x"), 4, "EUR", "en", "UTC", GroupStatus.OPEN)
PEOPLE = [UserId(f"@p{n}:x") for n in range(8)]

steps = st.lists(st.tuples(st.sampled_from(["invite", "join", "leave", "ban"]), st.sampled_from(PEOPLE)), max_size=60)
presences = st.sampled_from([None, *Presence])
groups = st.builds(replace, st.just(GROUP), cap=st.integers(1, 9), status=st.sampled_from(GroupStatus))


def a_person(presence: Presence | None) -> Member | None:
    return Member(GROUP.id, UserId("@ana:x"), presence) if presence else None


@given(steps)
def test_seats_never_exceed_the_cap_whoever_is_invited_or_gets_in_by_another_way(
    happened: list[tuple[str, UserId]],
) -> None:
    people: dict[UserId, Member] = {}
    for what, user_id in happened:
        known = people.get(user_id)
        taken = sum(member.takes_seat for member in people.values())
        found: Seat | Refusal | None = None
        match what:
            case "invite":
                found = admit(GROUP, taken, known)
                after = Presence.INVITED
            case "join":
                found = enter(GROUP, taken, known)
                after = Presence.JOINED
            case _:
                after = Presence.BANNED if what == "ban" else Presence.LEFT
        if found in (None, Seat.FREE):
            people[user_id] = Member(GROUP.id, user_id, after)
        assert sum(member.takes_seat for member in people.values()) <= GROUP.cap


@given(groups, st.integers(0, 12), presences)
def test_whoever_may_be_invited_may_also_come_in(group: Group, taken: int, presence: Presence | None) -> None:
    person = a_person(presence)
    if admit(group, taken, person) is Seat.FREE:
        assert enter(group, taken, person) is Seat.FREE


@given(groups, st.integers(0, 12))
def test_who_is_invited_or_has_joined_is_not_invited_again(group: Group, taken: int) -> None:
    for presence, reason in (
        (Presence.JOINED, Reason.ALREADY_HERE),
        (Presence.INVITED, Reason.ALREADY_INVITED),
    ):
        found = admit(group, taken, a_person(presence))
        assert isinstance(found, Refusal) and found.reason is reason


@given(groups, st.integers(0, 12))
def test_who_was_banned_comes_in_by_no_door(group: Group, taken: int) -> None:
    person = a_person(Presence.BANNED)
    assert isinstance(admit(group, taken, person), Refusal) and isinstance(enter(group, taken, person), Refusal)
