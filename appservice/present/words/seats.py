"""What is said of invitations, codes, the waitlist, aliases and names.

A Matrix id is quoted only to those who typed it and to the concierges who have to decide on it, and only while its
person has no alias.
"""

from appservice.domain.effect import CODE
from appservice.domain.group import Group
from appservice.domain.member import Member
from appservice.present.text import Text, esc, pages


def called(person: Member) -> str:
    """Give the name under which a person is spoken of: the alias, and before they have one the id as it was typed."""
    return person.alias or person.user_id


def invited(person: str, group: Group, place: int) -> str:
    """Say that a person was invited, or has a place on the waitlist (counted from 1)."""
    if place:
        return f"“{group.name}” is full: {person} is no. {place} on the waitlist and is invited when a seat is free."
    return f"Invited {person} to “{group.name}”."


def seat_free(person: Member, group: Group) -> str:
    who = "you" if _asked_themselves(person) else f"{called(person)}, who was next on the waitlist"
    return f"A seat in “{group.name}” has become free, and I have invited {who}."


def _asked_themselves(person: Member) -> bool:
    """Tell whether a person came with a code, or came in without a seat: what is said of them is said to them."""
    return person.invited_by == person.user_id


def invitation_failed(person: Member, errcode: str) -> str:
    if _asked_themselves(person):
        return (
            "I could not invite you: your account, your server or mine refused it. Let my invitations through, and "
            "ask whoever told you of the group for another."
        )
    return f"{called(person)} could not be invited: {_why_not_invited(errcode)}. The seat is free again."


def desk_invitation_failed(person: Member, errcode: str) -> str:
    return (
        f"{called(person)} could not be invited into the desk: {_why_not_invited(errcode)}. To try again, take them "
        "off with !concierge remove and add them once more."
    )


def _why_not_invited(errcode: str) -> str:
    return {
        "M_INVITE_BLOCKED": "they do not accept invitations from people they do not know",
        "M_NOT_FOUND": "there is no such account",
        "UNREACHABLE": "their server cannot be reached",
    }.get(errcode, "their server or ours refused it")


def invitation_expired(person: Member, group: Group, *, stays: bool = False) -> str:
    """Say what becomes of an invitation; it `stays` where its person has as much power as the service."""
    is_own = _asked_themselves(person)
    who = "You have" if is_own else f"{called(person)} has"
    unanswered = f"{who} not answered the invitation to “{group.name}”."
    if stays:
        have = "You have" if is_own else "They have"
        return f"{unanswered} {have} as much power there as I have, so I cannot take it back: it stays, with its seat."
    return f"{unanswered} It has expired, and I take it back."


def over_the_cap(group: Group) -> str:
    return (
        f"“{group.name}” is full, and you came in without one of its {group.cap} seats, so I had to remove you. You "
        "are first on the waitlist: I invite you when a seat is free. You need not do anything."
    )


def turned_away(group: Group) -> str:
    return (
        f"Somebody came in although all {group.cap} seats are taken, by another way than my invitations. I removed "
        "them, told them why, and put them first on the waitlist."
    )


def unreached(aliases: list[str]) -> str:
    return (
        f"I cannot reach {', '.join(aliases)}: they have not accepted the direct room to which I invited them, and "
        "what I have to tell them waits there. Ask them in the group to accept it, or to write to me."
    )


# Vouching


def vouch_of(sponsor: Member) -> str:
    return f"{sponsor.alias} vouches for a person"


def vouched(sponsor: Member, person: str | None, why: str) -> Text:
    """Give the line in the desk that asks for a decision; without a `person` it is about a code."""
    how = "✅ to invite them, ❌ to decline." if person else "✅ to give it to them, ❌ to decline."
    head = f"{vouch_of(sponsor)}: {person}" if person else f"{sponsor.alias} asks for an invitation code"
    reason = f"“{why}”" if why else ""
    plain = "\n".join(part for part in (head, reason, how) if part)
    return Text(plain, "<br>".join(esc(part) for part in plain.split("\n")))


def passed_on(*, code: bool) -> str:
    what = "your wish for an invitation code" if code else "your word for them"
    return f"I have put {what} before the concierges, and tell you what they decide."


def decided(outcome: str, concierge: Member) -> str:
    return f"{outcome} {concierge.alias} decided."


def approved(sponsor: Member, place: int) -> str:
    done = f"no. {place} on the waitlist" if place else "invited"
    return f"{vouch_of(sponsor)}: {done}."


def code_approved(sponsor: Member) -> str:
    return f"{sponsor.alias} has an invitation code now."


def declined(sponsor: Member) -> str:
    return f"{sponsor.alias}'s wish: declined."


def code_in_vain(sponsor: Member) -> str:
    return f"{sponsor.alias}'s wish: declined, since they are out of the group or may not vouch for now."


def lapsed(sponsor: Member) -> str:
    return f"{sponsor.alias}'s wish: not decided within 30 days, and void."


def vouch_lapsed(group: Group, *, code: bool) -> str:
    what = "your wish for an invitation code" if code else "the person whom you vouched for"
    return f"The concierges of “{group.name}” have not decided on {what} within 30 days. You can ask again."


def vouch_void(group: Group) -> str:
    return f"The person whom you vouched for in “{group.name}” cannot be invited any more, and I have taken it back."


def no_vouches(group: Group) -> str:
    return f"Nothing waits for a decision in “{group.name}”."


def vouch_approved(group: Group, place: int) -> str:
    if place:
        return (
            f"The concierges have approved whom you vouched for in “{group.name}”. The group is full: they are no. "
            f"{place} on the waitlist, and are invited when a seat is free."
        )
    return f"The concierges have approved whom you vouched for in “{group.name}”, and I have invited them."


def vouch_in_vain(group: Group, why: str) -> str:
    return f"The concierges have approved whom you vouched for in “{group.name}”, but: {why}"


def vouch_declined(group: Group, *, code: bool) -> str:
    what = "give you an invitation code" if code else "invite the person whom you vouched for"
    return f"The concierges of “{group.name}” have decided not to {what}. To learn why, ask them."


def code(group: Group, bot: str) -> Text:
    """Hand a code over; the sender puts it in the place of CODE."""
    how = (
        f"It lets one person into “{group.name}” within 7 days, and its seat is kept until then. Hand it to them "
        f"outside Matrix; they send it to me, {bot}, in a direct message. You are their sponsor."
    )
    return Text(f"{CODE}\n{how}", f"<strong><code>{CODE}</code></strong><br>{esc(how)}")


def code_taken(group: Group, place: int) -> str:
    if place:
        return f"“{group.name}” is full just now: you are no. {place} on the waitlist, and I invite you in time."
    return f"The code is good: I have invited you to “{group.name}”."


def code_used(group: Group) -> str:
    return f"Your invitation code for “{group.name}” has been used."


def code_expired(group: Group) -> str:
    return f"An invitation code of yours for “{group.name}” was not used in time. Its seat is free again."


def suspended(group: Group, why: str, codes: int = 0) -> str:
    ended = "\nYour invitation codes that were not used are good no more." if codes else ""
    return f"You cannot vouch for others in “{group.name}” for now. The concierges' reason: {why}{ended}"


def unsuspended(group: Group) -> str:
    return f"You can vouch for others in “{group.name}” again."


def suspension_noted(member: Member, *, suspended: bool) -> str:
    return f"{member.alias} {'cannot vouch for others for now' if suspended else 'can vouch for others again'}."


def waitlist(group: Group, waiting: list[tuple[str, str]]) -> list[str]:
    """List who waits, each as they are to be named with `!waitlist drop`, and who vouched for them."""
    if not waiting:
        return [f"Nobody waits for a seat in “{group.name}”."]
    lines = [f"{n}. {person} ({sponsor})" for n, (person, sponsor) in enumerate(waiting, 1)]
    head = f"Waiting for a seat in “{group.name}”"
    return ["\n".join([_headed(head, n), *page]) for n, page in enumerate(pages(lines))]


def _headed(head: str, page: int) -> str:
    return f"{head} (continued):" if page else f"{head}:"


def waits_for(sponsor: Member | None) -> str:
    return f"{sponsor.alias} vouches for them" if sponsor else "came by themselves"


def off_the_waitlist(user_id: str, group: Group) -> str:
    return f"{user_id} does not wait for a seat in “{group.name}” any more."


def tree(group: Group, lines: list[str]) -> list[Text]:
    """Show who vouched for whom, one line a member, indented."""
    title, found = f"Who vouched for whom in “{group.name}”", []
    for n, page in enumerate(pages(lines)):
        head = _headed(title, n)
        html = f"{esc(head)}<pre><code>{esc(chr(10).join(page))}</code></pre>"
        found.append(Text("\n".join([head, *page]), html))
    return found


# Names


def alias_is(alias: str, group: Group) -> str:
    return f"In “{group.name}” I call you {alias}. To choose another: !alias Otter"


def alias_chosen(alias: str, group: Group) -> str:
    return f"In “{group.name}” I call you {alias} from now on."


_ROOM_NAME = (
    "To change it for this room only, type /myroomnick and another name there, if your client is Element; in others "
    "look for your name in the room's member list."
)


def revealing_name(group: Group) -> str:
    return (
        f"Your display name in “{group.name}” looks like a phone number or an address, and everybody there can read "
        f"it. {_ROOM_NAME}"
    )


def name_of_another(group: Group) -> str:
    return (
        f"Your display name in “{group.name}” reads like mine or a concierge's, so people may take you for them, and I "
        f"have told the concierges. {_ROOM_NAME}"
    )


def passes_for_another(member: Member) -> str:
    return (
        f"{member.alias} has a display name in the room that reads like mine or a concierge's. I have asked them to "
        "change it."
    )
