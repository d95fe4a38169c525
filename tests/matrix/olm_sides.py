"""Two sides of an encrypted conversation: one on our olm, the other on python-olm where it is installed."""

import base64
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

from appservice.matrix import olm as ours

PASSPHRASE = "k8vW0sq0n0Wv0Yq6y1XH8w"
TEXT = st.text(st.characters(codec="utf-8"), max_size=80)


def libolm() -> Any:
    """Import python-olm beside our module, which has its name."""

    def is_olm(name: str) -> bool:
        return name.partition(".")[0] in ("olm", "_libolm")

    kept = {name: sys.modules.pop(name) for name in [*sys.modules] if is_olm(name)}
    try:
        return importlib.import_module("olm")
    except ImportError:
        return None
    finally:
        for name in [name for name in sys.modules if is_olm(name)]:
            del sys.modules[name]
        sys.modules.update(kept)


theirs = libolm()
needs_libolm = pytest.mark.skipif(theirs is None, reason="python-olm has no wheel for this Python")
SIDES = {"ours-ours": (ours, ours), "ours-theirs": (ours, theirs), "theirs-ours": (theirs, ours)}
both_ways = pytest.mark.parametrize(
    ("one", "other"),
    [pytest.param(*pair, id=name, marks=[needs_libolm] if theirs in pair else []) for name, pair in SIDES.items()],
)


def raw(ciphertext: str) -> bytes:
    return base64.b64decode(ciphertext + "=" * (-len(ciphertext) % 4), validate=True)


def unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def curve(account: Any) -> str:
    return account.identity_keys["curve25519"]


def publish(account: Any, count: int = 1) -> list[str]:
    account.generate_one_time_keys(count)
    keys = list(account.one_time_keys["curve25519"].values())
    account.mark_keys_as_published()
    return keys


def flipped(data: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(data))


def outcome(attempt: Callable[[], Any]) -> Any:
    """What came of it: the result, or the code of an olm error; no other error is let through."""
    try:
        return attempt()
    except Exception as error:
        if type(error).__name__ not in ("OlmAccountError", "OlmSessionError", "OlmGroupSessionError", "PkSigningError"):
            raise
        return Refused(str(error))


@dataclass(frozen=True)
class Refused:
    code: str


class Device:
    """One side, which uses its library as mautrix does: match, else make, store and read back, then decrypt."""

    def __init__(self, library: Any) -> None:
        self.olm = library
        self.account = library.Account()
        self.keys = publish(self.account, 5)
        self.sessions: list[Any] = []

    def send(self, other: "Device", text: str) -> tuple[int, str]:
        if not self.sessions:
            self.sessions.append(self.olm.OutboundSession(self.account, curve(other.account), other.keys.pop()))
        message = self.sessions[-1].encrypt(text)
        return int(isinstance(message, self.olm.OlmMessage)), message.ciphertext

    def receive(self, other: "Device", kind: int, ciphertext: str) -> str:
        message = (self.olm.OlmPreKeyMessage, self.olm.OlmMessage)[kind](ciphertext)
        for session in self.sessions:
            if kind == 0 and not session.matches(message):
                continue
            text = outcome(partial(session.decrypt, message))
            if kind == 0 or not isinstance(text, Refused):
                self.sessions.remove(session)
                self.sessions.append(session)
                return text
        if kind == 1:
            return Refused("no session")
        session = self.olm.InboundSession(self.account, message, curve(other.account))
        self.account.remove_one_time_keys(session)
        self.account = self.olm.Account.from_pickle(self.account.pickle(PASSPHRASE), PASSPHRASE)
        self.sessions.append(self.olm.Session.from_pickle(session.pickle(PASSPHRASE), PASSPHRASE))
        return self.sessions[-1].decrypt(message)


Step = tuple[str, int, Any]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1), TEXT),
        st.tuples(st.just("deliver"), st.integers(0, 1), st.integers(0, 5)),
        st.tuples(st.just("repeat"), st.integers(0, 1), st.integers(0, 5)),
        st.tuples(st.just("lose"), st.integers(0, 1), st.integers(0, 5)),
    ),
    max_size=40,
)


def play(devices: tuple[Device, Device], steps: list[Step]) -> Iterator[Any]:
    """Play a conversation; yields what came of each delivery, of a message that is late, lost or came before."""
    under_way: tuple[list[Any], list[Any]] = ([], [])
    for step, sender, argument in steps:
        device, peer, messages = devices[sender], devices[1 - sender], under_way[sender]
        if step == "send":
            messages.append((*device.send(peer, argument), argument))
        elif messages:
            kind, ciphertext, text = messages[argument % len(messages)]
            if step != "repeat":
                messages.remove((kind, ciphertext, text))
            if step != "lose":
                yield text, outcome(partial(peer.receive, device, kind, ciphertext))
