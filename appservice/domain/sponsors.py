"""Who vouched for whom, as a tree."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from appservice.domain.ids import Number
from appservice.domain.member import Member, Presence, Role

_INDENT = "  "
_DEEPEST = 20
"""Who stands deeper is indented no further: the lines of a long chain would be nothing but spaces."""


def branches(members: Iterable[Member]) -> list[str]:
    """Give one line for each member who has a number, under their sponsor's line and indented by it, in the order of
    their numbers; who has left stays, since they link those whom they vouched for."""
    known = {member.number: member for member in members if member.number is not None}
    below: defaultdict[Number | None, list[Number]] = defaultdict(list)
    for number, member in sorted(known.items()):
        has_sponsor = member.sponsor in known and member.sponsor != number
        below[member.sponsor if has_sponsor else None].append(number)
    lines: list[str] = []
    ahead: list[tuple[Number, int]] = [(number, 0) for number in reversed(below[None])]
    while ahead:
        number, depth = ahead.pop()
        lines.append(_INDENT * min(depth, _DEEPEST) + _line(known[number]))
        ahead += [(one, depth + 1) for one in reversed(below[number])]
    return lines


def _line(member: Member) -> str:
    marks: Sequence[str] = [
        *(["owner"] if member.role is Role.OWNER else ["concierge"] if member.role is Role.CONCIERGE else []),
        *(["left"] if member.presence is not Presence.JOINED else []),
        *(["may not vouch"] if member.suspended else []),
    ]
    return f"{member.alias}" + (f" ({', '.join(marks)})" if marks else "")
