"""How people are answered: ✅, ⏳ or ⚠️ on what they wrote, a line by direct message, never noise in the group."""

from appservice.domain.cause import Cause, Place, Way
from appservice.domain.effect import Effect, Redact, SendEvent, Tell
from appservice.domain.refusal import Refusal
from appservice.present.text import Text, notice, threaded
from appservice.present.words.refusals import refusal as sentence
from appservice.wire import message, reaction

DONE, WAITING, REFUSED = "✅", "⏳", "⚠️"


def acknowledge(cause: Cause, *, waiting: bool = False) -> list[Effect]:
    """Give the sign that something was done; a reaction pledge is acknowledged by the card's next edit."""
    if cause.way is not Way.MESSAGE:
        return []
    return [_sign(cause, WAITING if waiting else DONE)]


def refuse(cause: Cause, refusal: Refusal) -> list[Effect]:
    """Give what a person gets whose request was refused: a sign, and why by direct message (in the desk: there)."""
    line = sentence(refusal)
    if cause.way is Way.REACTION:
        return [Redact(cause.room_id, cause.event_id), Tell(cause.sender, notice(line))]
    if cause.way is not Way.MESSAGE:
        return [Tell(cause.sender, notice(line))]
    return [_sign(cause, REFUSED), answer(cause, line)]


def answer(cause: Cause, text: Text | str) -> Effect:
    """Give a line to whoever asked: in the desk where it was asked there, else by direct message."""
    if cause.place is Place.DESK:
        content = notice(text)
        return SendEvent(
            cause.room_id, message.TYPE, threaded(content, cause.thread) if cause.thread is not None else content
        )
    return Tell(cause.sender, notice(text))


def _sign(cause: Cause, key: str) -> Effect:
    return SendEvent(cause.room_id, reaction.TYPE, reaction.format_reaction(cause.event_id, key))
