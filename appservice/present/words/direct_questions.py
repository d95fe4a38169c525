"""What is said to somebody who asks by direct message."""

from collections.abc import Sequence

from appservice.domain.group import Group
from appservice.present.words.hours import in_words


def taken(group: Group) -> str:
    """Say what becomes of a question, the first time."""
    when = f" Their hours: {in_words(group.hours)}." if group.hours.are_set else ""
    return (
        f"I have passed that on to the concierges of “{group.name}”: one of them answers you, in a private room to "
        f"which I invite you.{when} ⏳ on what you ask me says that it is with them; what you add here goes with it."
    )


def which(groups: Sequence[Group]) -> str:
    """Ask for which group a question is; the answer is a number of the list, a name or an id."""
    lines = "\n".join(f"{number}. {group.name} ({group.id})" for number, group in enumerate(groups, 1))
    return f"For which group is that? Answer with its number or name:\n{lines}"
