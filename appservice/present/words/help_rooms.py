"""What is said of help rooms: in them, and in the desk's threads."""

from appservice.domain.group import Group
from appservice.domain.text import without_ids
from appservice.present.text import short
from appservice.present.words.questions import TAKE

CHANGED = "somebody else helps here now"
"""Reasons of removals, which everybody in the room can read."""
CLOSED = "this room is closed"
LEFT_ROOM = "they have left the private room"
"""Notes with which a question is handed over."""
NO_CONCIERGE = "they are no concierge here any more"
NOT_LET_IN = "they could not be let into the private room"


def greeting(asker: str, helper: str, group: Group, text: str | None) -> str:
    """Say to the two in a room what it is for and who reads it."""
    about = f"what {asker} has asked: “{short(without_ids(text), 300)}”" if text else f"what {asker} has asked"
    return (
        f"This room is for {about}. {helper}, a concierge of “{group.name}”, answers here. Nobody else of the group "
        "reads it. I stay to see whether somebody waits for an answer, and write nothing of it down."
    )


def ending() -> str:
    return (
        "This question was closed a week ago, so I leave. You can go on here without me, or leave as well; a new "
        "question is best sent to me directly."
    )


def ready(asker: str, helper: str) -> str:
    return f"The private room is there: I have invited {asker} and {helper}."


def your_turn(helper: str, asker: str) -> str:
    return f"{helper}, it is your turn to help {asker} in private: I invite you to a room with them."


def not_made(asker: str, errcode: str) -> str:
    return (
        f"I could not make a private room for {asker} and their concierge: the homeserver refused it ({errcode}). "
        "!private here tries once more."
    )


def asker_not_invited(asker: str, errcode: str) -> str:
    return (
        f"{asker} could not be invited to the private room: {_why_not_invited(errcode)}. !private here tries once "
        "more; or answer in the group, mentioning them."
    )


def _why_not_invited(errcode: str) -> str:
    return {
        "M_INVITE_BLOCKED": "they do not accept invitations from people they do not know",
        "M_NOT_FOUND": "there is no such account",
        "UNREACHABLE": "their server cannot be reached",
    }.get(errcode, "their server or ours refused it")


def asker_not_there(asker: str) -> str:
    return (
        f"{asker} has not come into the private room yet. What is written there waits for them: they read it from "
        "their invitation on."
    )


def asker_declined(asker: str) -> str:
    return f"{asker} has declined the private room. !private here invites them again."


def asker_left(asker: str) -> str:
    return f"{asker} has left the private room. !private here invites them again."


def nobody_helps(asker: str) -> str:
    return (
        f"No concierge is in the private room with {asker} any more, and nobody else is on duty. {TAKE} on the "
        "question takes it, and lets you in."
    )


def room_lost(asker: str) -> str:
    return f"I am out of the private room with {asker}. !private here makes another."


def opening(asker: str, helper: str, *, to_asker: bool) -> str:
    """Say to whoever wanted a room with whom it is."""
    if to_asker:
        return f"I invite you to a private room with {helper}, a concierge."
    return f"I invite {asker} and {helper} to a private room."


def waiting(asker: str, *, to_asker: bool) -> str:
    """Say that a room comes as soon as somebody is there to help in it."""
    if to_asker:
        return "No concierge is on duty now. As soon as one takes your question, I invite you to a private room."
    return f"Nobody else is on duty. Who takes the question by {TAKE} gets a private room with {asker}."
