"""What is said when somebody leaves, when a group is closed, and when a person is to be forgotten."""

from collections.abc import Sequence

from appservice.domain.group import Group
from appservice.present.amounts import moment

# Leaving


def leaving(group: Group) -> str:
    return f"I am taking you out of “{group.name}”. To come back, ask to be invited again: you keep your alias."


# My data


def my_data() -> str:
    return "What I keep about you, in all groups. Times are in UTC."


# Forgetting


def forget_asked(groups: Sequence[Group]) -> str:
    """Say what `!forget me` will do."""
    out = f" take you out of {_names(groups)}," if groups else ""
    return (
        "I would send you what I keep about you, take your open pledges back," + out + " and then erase your Matrix "
        "ID and all else that says who you are. Your alias and your number stay in the books of each group, so that "
        "the sums stay true; the alias is never given to somebody else. Where a buy of yours is being closed or an "
        "order is not settled, I wait for that first. It cannot be taken back: if you return later, you are new. If "
        "you want it, send: !forget me confirm"
    )


def forget_begun(groups: Sequence[Group]) -> str:
    out = f" and I am taking you out of {_names(groups)}" if groups else ""
    return (
        f"Your open pledges are withdrawn{out}. I tell you when everything is erased. If you join a group again before "
        "that, you are not forgotten."
    )


def forget_waits() -> str:
    return (
        "You have an order that is not settled, or a group buy of yours is being closed, and the other side needs to "
        "know whose it is. I erase you as soon as that is over; you need not ask again."
    )


def forget_leave_yourself(group: Group) -> str:
    return (
        f"I cannot take you out of “{group.name}”, since you have as much power there as I do. Leave it in your "
        "client; then I erase you."
    )


def forget_under_way() -> str:
    return "You have asked for that already. I erase you as soon as your orders are settled, and tell you then."


def forgotten() -> str:
    return "It is done: I have erased you, and now leave this room. Should you write to me again, I do not know you."


# Closing a group


def sunset_asked(group: Group, people: int, days: int) -> str:
    """Say what `!sunset` will do; `people` are those who are in the group, `days` the time until data are erased."""
    return (
        f"“{group.name}” would close in 24 hours, for all {people} people in it: they are told so now, invitations and "
        "codes end, nobody comes in, and no group buy can be opened. After these 24 hours I remove everybody from the "
        f"group and the desk, and leave. {_erased(days)} Until then you can change your mind with !sunset {group.id} "
        f"cancel. If you want that, send: !sunset {group.id} confirm"
    )


def _erased(days: int) -> str:
    when = "At once" if days == 0 else "After a day" if days == 1 else f"After {days} days"
    return f"{when} I erase who the members were; the books stay, under numbers and aliases."


def sunset_begun(group: Group, closes_at: int) -> str:
    return (
        f"“{group.name}” closes on {moment(closes_at, group)}, and everybody has been told. To take it back before "
        f"that: !sunset {group.id} cancel"
    )


def sunset_news(group: Group, closes_at: int) -> str:
    return (
        f"This group closes on {moment(closes_at, group)}: its owner has decided so. Nobody comes in any more, and "
        "then everybody is removed. What you have ordered stays ordered. Send me !mydata directly to see what I keep "
        "about you."
    )


def sunset_in_desk(group: Group, closes_at: int) -> str:
    return (
        f"The owner closes the group on {moment(closes_at, group)}. Invitations, codes and the waitlist have ended; "
        "the desk closes with the group."
    )


def sunset_cancelled(group: Group) -> str:
    return f"“{group.name}” goes on, and everybody has been told. Invitations, codes and the waitlist stay ended."


def sunset_cancelled_news() -> str:
    return "This group does not close after all: its owner has decided so. Everything goes on."


def wait_in_vain(user_id: str, asked_by: str, group: Group) -> str:
    """Tell who asked that a person on the waitlist gets no seat any more."""
    if user_id == asked_by:
        return f"“{group.name}” is being closed, so there will be no seat for you. You are off its waitlist."
    return f"“{group.name}” is being closed, so there will be no seat for {user_id}. They are off its waitlist."


def _names(groups: Sequence[Group]) -> str:
    *first, last = (f"“{group.name}”" for group in groups)
    return f"{', '.join(first)} and {last}" if first else last
