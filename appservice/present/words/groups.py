"""What is said of groups, and of who runs them."""

from appservice.domain.effect import Tell
from appservice.domain.group import Group
from appservice.domain.member import Member
from appservice.present.text import ringing
from appservice.present.words.seats import called


def group_creating(name: str) -> str:
    return f"Making the group “{name}” and its desk."


def group_ready(group: Group) -> str:
    return (
        f"“{group.name}” is ready (id {group.id}): I have invited you to the group and to its desk, the private room "
        f"of its concierges. Up to {group.cap} people; nobody can find it or see what was said before they joined. "
        "Whoever is invited, and their server, can read the group's name, topic and picture before joining.\n"
        "Next, here: !invite @ana:example.org and !concierge add @ben:example.org"
    )


def group_adopted(group: Group) -> str:
    return (
        f"“{group.name}” is adopted (id {group.id}), and I have invited you to its desk, the private room of its "
        f"concierges. Up to {group.cap} people; only I invite from now on.\n"
        "Next, here: !invite @ana:example.org and !concierge add @ben:example.org"
    )


def group_failed(name: str, error: str) -> str:
    return (
        f"The homeserver would not make the room for “{name}” ({error}). Ask its operator, then make the group again."
    )


def desk_failed(group: Group, error: str) -> str:
    return (
        f"The homeserver would not make the desk for “{group.name}” ({error}). Ask its operator, then send !adopt "
        f"{group.room_id} again."
    )


def cap_changed(group: Group) -> str:
    return f"“{group.name}” takes up to {group.cap} people now."


def pledges_private(group: Group) -> str:
    return (
        f"One pledges by direct message only in “{group.name}” from now on: reactions and pledges in the room are "
        "taken away, and the end of a group buy is told without its lines. What was pledged stands."
    )


def pledges_open(group: Group) -> str:
    return f"One can pledge in the room of “{group.name}” again, where everybody sees it."


def encryption_asked(group: Group) -> str:
    return (
        f"What is written in “{group.name}” and its desk from then on could not be read by homeservers, and I would "
        "act only on commands and pledges there that come encrypted. It cannot be turned off again. If you want that, "
        "send the same with confirm at the end."
    )


def encrypted_now(group: Group) -> str:
    return (
        f"“{group.name}” and its desk are encrypted from now on, for good. I act only on commands and pledges there "
        "that come encrypted."
    )


def encrypted_already(group: Group) -> str:
    return f"“{group.name}” and its desk are encrypted already."


def concierge_added(person: Member, group: Group) -> str:
    return f"{called(person)} is a concierge of “{group.name}” now, and invited to the desk."


def concierge_waits(person: Member, group: Group, place: int) -> str:
    return (
        f"“{group.name}” is full: {called(person)} is no. {place} on the waitlist, and becomes a concierge with their "
        "seat."
    )


def concierge_wish_taken_back(person: Member, group: Group) -> str:
    return f"{called(person)} waits for a seat in “{group.name}” as an ordinary member now."


def concierge_removed(person: Member, group: Group) -> str:
    return f"{called(person)} is no concierge of “{group.name}” any more, and out of the desk."


def concierge_now(group: Group) -> str:
    return (
        f"You are a concierge of “{group.name}” now, and invited to its desk, the private room of its concierges. "
        "Send me !help to see what you can do."
    )


def concierge_no_more(group: Group) -> str:
    return f"You are no concierge of “{group.name}” any more. As a member you stay."


def hand_over_asked(member: Member, group: Group, *, stays: bool, here: bool) -> str:
    """Say what handing over comes to; `stays`: the owner of an adopted room whose power the bot cannot take; `here`:
    one who is in the group."""
    become = (
        "You would keep your power level in the room, which I cannot lower"
        if stays
        else "You would be a concierge, and could not take it back"
        if here
        else "You have left it, so you would have no part in it any more, and could not take it back"
    )
    return (
        f"{member.alias} would own “{group.name}”: its cap, its concierges and whether it goes on. {become}. If you "
        "want that, send the same with confirm at the end."
    )


def handed_over(member: Member, group: Group, *, stays: bool, here: bool) -> str:
    stayed = "you are one of its concierges" if here else "as you have left it, you have no part in it any more"
    become = "you keep your power level in the room" if stays else stayed
    return f"{member.alias} owns “{group.name}” now; {become}."


def owner_now(member: Member, group: Group) -> Tell:
    text = (
        f"You own “{group.name}” now (id {group.id}): its cap, its concierges and whether it goes on. I have invited "
        "you to its desk, the private room of its concierges. Send me !help to see what you can do."
    )
    return Tell(member.user_id, ringing(text, member.user_id))
