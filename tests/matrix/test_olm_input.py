"""What our olm reads: pickles, libolm's too, and whatever others send, refused with libolm's codes."""

import itertools
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.matrix import olm as ours
from tests.matrix.olm_sides import (
    PASSPHRASE,
    STEPS,
    Device,
    Refused,
    Step,
    curve,
    flipped,
    needs_libolm,
    outcome,
    play,
    publish,
    raw,
    theirs,
    unpadded,
)


class TestPickles:
    def test_everything_goes_on_after_it_was_stored(self) -> None:
        sender, receiver = Device(ours), Device(ours)
        receiver.receive(sender, *sender.send(receiver, "one"))
        sender.sessions = [ours.Session.from_pickle(sender.sessions[0].pickle(PASSPHRASE), PASSPHRASE)]
        assert receiver.receive(sender, *sender.send(receiver, "two")) == "two"
        outbound = ours.OutboundGroupSession()
        inbound = ours.InboundGroupSession(outbound.session_key)
        outbound.encrypt("one")
        outbound = ours.OutboundGroupSession.from_pickle(outbound.pickle(PASSPHRASE.encode()), PASSPHRASE)
        inbound = ours.InboundGroupSession.from_pickle(inbound.pickle(PASSPHRASE), PASSPHRASE)
        assert inbound.decrypt(outbound.encrypt("two")) == ("two", 1)
        account = ours.Account.from_pickle(sender.account.pickle(PASSPHRASE), PASSPHRASE)
        assert account.identity_keys == sender.account.identity_keys

    @needs_libolm
    def test_an_account_of_libolm_is_read_with_all_its_keys(self) -> None:
        original, sender = theirs.Account(), theirs.Account()
        (published,) = publish(original)
        original.generate_fallback_key()
        (fallback,) = original.fallback_key["curve25519"].values()
        original.mark_keys_as_published()
        original.generate_one_time_keys(2)
        mine = ours.Account.from_pickle(original.pickle(PASSPHRASE), PASSPHRASE)
        assert mine.identity_keys == original.identity_keys
        assert sorted(mine.one_time_keys["curve25519"].values()) == sorted(
            original.one_time_keys["curve25519"].values()
        )
        assert mine.sign("text") == original.sign("text")
        for key in (published, fallback, *mine.one_time_keys["curve25519"].values()):
            sent = theirs.OutboundSession(sender, curve(mine), key).encrypt("hello")
            message = ours.OlmPreKeyMessage(sent.ciphertext)
            assert ours.InboundSession(mine, message, curve(sender)).decrypt(message) == "hello"

    @needs_libolm
    @settings(deadline=None, max_examples=60)
    @given(STEPS.map(lambda steps: [step for step in steps if step[0] != "repeat"]), st.integers(0, 40))
    def test_a_conversation_goes_on_from_the_pickles_of_libolm(self, steps: list[Step], changed_at: int) -> None:
        """From some step on one side runs on ours, with sessions in whatever state they were."""

        class Changed(Device):
            deliveries = 0

            def __getattribute__(self, name: str) -> Any:
                if name in ("send", "receive"):
                    self.deliveries += 1
                    if self.deliveries == changed_at:
                        self.olm = ours
                        self.account = ours.Account.from_pickle(self.account.pickle(PASSPHRASE), PASSPHRASE)
                        stored = [session.pickle(PASSPHRASE) for session in self.sessions]
                        self.sessions = [ours.Session.from_pickle(pickle, PASSPHRASE) for pickle in stored]
                return super().__getattribute__(name)

        expected = list(play((Device(theirs), Device(theirs)), steps))
        assert list(play((Changed(theirs), Changed(theirs)), steps)) == expected

    @needs_libolm
    def test_a_group_session_of_libolm_is_read_and_an_outbound_one_refused(self) -> None:
        outbound = theirs.OutboundGroupSession()
        outbound.encrypt("one")
        inbound = theirs.InboundGroupSession(outbound.session_key)
        outbound.encrypt("two")
        inbound.decrypt(outbound.encrypt("three"))
        mine = ours.InboundGroupSession.from_pickle(inbound.pickle(PASSPHRASE), PASSPHRASE)
        assert (mine.id, mine.first_known_index) == (inbound.id, 1)
        assert mine.export_session(1) == inbound.export_session(1)
        assert mine.decrypt(outbound.encrypt("four")) == ("four", 3)
        refusal = outcome(lambda: ours.OutboundGroupSession.from_pickle(outbound.pickle(PASSPHRASE), PASSPHRASE))
        assert refusal.code.startswith("UNKNOWN_PICKLE_VERSION")

    @pytest.mark.parametrize("library", [ours, pytest.param(theirs, marks=needs_libolm)])
    def test_a_wrong_passphrase_a_changed_pickle_and_one_of_another_kind_are_refused(self, library: Any) -> None:
        sender, receiver = Device(library), Device(library)
        receiver.receive(sender, *sender.send(receiver, "one"))
        group = library.OutboundGroupSession()
        kept = {
            ours.Account: sender.account,
            ours.Session: sender.sessions[0],
            ours.InboundGroupSession: library.InboundGroupSession(group.session_key),
        } | ({ours.OutboundGroupSession: group} if library is ours else {})
        for kind, original in kept.items():
            pickle = original.pickle(PASSPHRASE)
            kind.from_pickle(pickle, PASSPHRASE)
            assert outcome(partial(kind.from_pickle, pickle, "another")) == Refused("BAD_ACCOUNT_KEY")
            assert outcome(partial(kind.from_pickle, pickle, "")) == Refused("BAD_ACCOUNT_KEY")
            for other in kept.keys() - {kind}:
                assert isinstance(outcome(partial(other.from_pickle, pickle, PASSPHRASE)), Refused)
            for at in range(0, len(pickle), 7):
                changed = bytes(pickle[:at] + (b"A" if pickle[at : at + 1] != b"A" else b"B") + pickle[at + 1 :])
                assert isinstance(outcome(partial(kind.from_pickle, changed, PASSPHRASE)), Refused)
                assert isinstance(outcome(partial(kind.from_pickle, pickle[:at], PASSPHRASE)), Refused)


class TestCorruption:
    @needs_libolm
    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, 1), st.data())
    def test_a_flipped_bit_of_an_olm_message_is_refused_with_the_code_of_libolm(
        self, kind: int, data: st.DataObject
    ) -> None:
        sender, receiver = Device(theirs), Device(theirs)
        if kind:
            receiver.receive(sender, *sender.send(receiver, "one"))
            sender.receive(receiver, *receiver.send(sender, "two"))
        before, keys = (
            receiver.account.pickle(PASSPHRASE),
            receiver.sessions and receiver.sessions[0].pickle(PASSPHRASE),
        )
        sent_kind, ciphertext = sender.send(receiver, "x" * 50)
        assert sent_kind == kind
        length = len(raw(ciphertext))
        bit = data.draw(st.integers(8 * (length - 64 - 8), 8 * length - 1), label="bit in the payload or the MAC")
        broken = unpadded(flipped(raw(ciphertext), bit))

        def refusal(library: Any) -> Any:
            device = Device(library)
            device.account = library.Account.from_pickle(before, PASSPHRASE)
            if kind:
                session = library.Session.from_pickle(keys, PASSPHRASE)
                return outcome(partial(session.decrypt, library.OlmMessage(broken)))
            return outcome(partial(device.receive, sender, kind, broken))

        assert refusal(ours) == refusal(theirs) == Refused("BAD_MESSAGE_MAC")

    @needs_libolm
    @pytest.mark.parametrize(
        ("ciphertext", "code"),
        [("Aw", "BAD_MESSAGE_FORMAT"), ("AwAA", "BAD_MESSAGE_FORMAT"), ("A", "INVALID_BASE64")],
    )
    def test_a_fragment_is_refused_with_the_code_of_libolm(self, ciphertext: str, code: str) -> None:
        for library in (ours, theirs):
            sender, receiver = Device(library), Device(library)
            receiver.receive(sender, *sender.send(receiver, "one"))
            for message in (library.OlmMessage, library.OlmPreKeyMessage):
                assert outcome(partial(receiver.sessions[0].decrypt, message(ciphertext))) == Refused(code)

    @needs_libolm
    @settings(deadline=None, max_examples=100)
    @given(st.data())
    def test_a_flipped_bit_of_a_megolm_message_or_key_is_refused_with_the_code_of_libolm(
        self, data: st.DataObject
    ) -> None:
        outbound = theirs.OutboundGroupSession()
        key, message = raw(outbound.session_key), raw(outbound.encrypt("x" * 50))
        bit = data.draw(st.integers(8 * 6, 8 * len(message) - 1), label="bit in payload, MAC or signature")
        broken = unpadded(flipped(message, bit))
        bit = data.draw(st.integers(8, 8 * (1 + 4 + 128) - 1), label="bit in the ratchet")
        another_version = unpadded(b"\x05" + message[1:])
        broken_key = unpadded(flipped(key, bit))
        for library in (ours, theirs):
            inbound = library.InboundGroupSession(unpadded(key))
            assert outcome(partial(inbound.decrypt, broken)) == Refused("BAD_SIGNATURE")
            assert outcome(partial(library.InboundGroupSession, broken_key)) == Refused("BAD_SIGNATURE")
            assert outcome(partial(library.InboundGroupSession, unpadded(key)[:8])) == Refused("BAD_SESSION_KEY")
            assert outcome(partial(library.InboundGroupSession, "A")) == Refused("INVALID_BASE64")
            assert outcome(partial(inbound.decrypt, another_version)) == Refused("BAD_MESSAGE_VERSION")


BAD = st.one_of(
    st.none(),
    st.integers(),
    st.binary(max_size=300),
    st.lists(st.text(max_size=3), max_size=3),
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.binary(max_size=300).map(unpadded),
    st.binary(max_size=300).map(lambda data: unpadded(b"\x03" + data)),
    st.sampled_from(["\ud800", "A" * 1_000_000, "coterie1.", "coterie1.AAAA", "é", "====", "AwgA"]),
)
BAD_EDITS = st.tuples(st.integers(0, 500), st.integers(0, 12), st.binary(max_size=8))
"""From, how many bytes, and what in their place."""


class TestHostileInput:
    @settings(deadline=None, max_examples=120)
    @given(BAD)
    def test_anything_at_all_is_refused_with_an_olm_error(self, bad: Any) -> None:
        sender, receiver = Device(ours), Device(ours)
        receiver.receive(sender, *sender.send(receiver, "one"))
        account, session, key = receiver.account, receiver.sessions[0], curve(sender.account)
        group = ours.OutboundGroupSession()
        inbound = ours.InboundGroupSession(group.session_key)
        attempts = [
            partial(session.decrypt, ours.OlmMessage(bad)),
            partial(session.decrypt, ours.OlmPreKeyMessage(bad)),
            partial(session.matches, ours.OlmPreKeyMessage(bad)),
            partial(ours.InboundSession, account, ours.OlmPreKeyMessage(bad), key),
            partial(ours.InboundSession, account, ours.OlmPreKeyMessage(sender.send(receiver, "two")[1]), bad),
            partial(ours.OutboundSession, account, bad, key),
            partial(ours.OutboundSession, account, key, bad),
            partial(inbound.decrypt, bad),
            partial(ours.InboundGroupSession, bad),
            partial(ours.InboundGroupSession.import_session, bad),
            *(
                partial(kind.from_pickle, bad, PASSPHRASE)
                for kind in (ours.Account, ours.Session, ours.InboundGroupSession, ours.OutboundGroupSession)
            ),
        ]
        for attempt in attempts:
            assert isinstance(outcome(attempt), Refused)
        assert receiver.receive(sender, *sender.send(receiver, "three")) == "three"
        assert inbound.decrypt(group.encrypt("three")) == ("three", 0)

    @settings(deadline=None, max_examples=120)
    @given(BAD_EDITS)
    def test_an_edited_message_is_refused_or_says_what_was_sent(self, edit: tuple[int, int, bytes]) -> None:
        sender, receiver = Device(ours), Device(ours)
        group = ours.OutboundGroupSession()
        session_key = raw(group.session_key)
        inbound = ours.InboundGroupSession(group.session_key)

        def edited(data: bytes) -> str:
            at = edit[0] % len(data)
            return unpadded(data[:at] + edit[2] + data[at + edit[1] :])

        text = "x" * 30
        first = sender.send(receiver, text)[1]
        stored = receiver.account.pickle()
        assert outcome(partial(receiver.receive, sender, 0, edited(raw(first)))) in Refusals(text)
        receiver.account = ours.Account.from_pickle(stored)
        receiver.sessions.clear()
        receiver.receive(sender, 0, first)
        sender.receive(receiver, *receiver.send(sender, "back"))
        kind, ciphertext = sender.send(receiver, text)
        assert kind == 1
        attempt = partial(receiver.sessions[0].decrypt, ours.OlmMessage(edited(raw(ciphertext))))
        assert outcome(attempt) in Refusals(text)
        assert outcome(partial(inbound.decrypt, edited(raw(group.encrypt(text))))) in Refusals((text, 0))
        assert outcome(lambda: ours.InboundGroupSession(edited(session_key)).id) in Refusals(group.id)

    def test_lone_surrogates_and_numbers_to_encrypt_or_to_sign_are_refused(self) -> None:
        sender, receiver = Device(ours), Device(ours)
        sender.send(receiver, "one")
        group = ours.OutboundGroupSession()
        calls = [sender.account.sign, sender.sessions[0].encrypt, group.encrypt, ours.PkSigning(bytes(32)).sign]
        for call, bad in itertools.product(calls, ("\ud800", None, 7)):
            assert outcome(partial(call, bad)) == Refused("INVALID_INPUT")
        inbound = ours.InboundGroupSession(group.session_key)
        for index in (-1, 2**32, 1.5, "1", None):
            assert outcome(partial(inbound.export_session, index)) == Refused("INVALID_INPUT")

    def test_a_panic_of_the_library_below_is_an_olm_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class PanicException(BaseException):
            """pyo3's has this name, and cannot be imported."""

        def panic(_: object) -> None:
            raise PanicException("unwrap() on a None value")

        monkeypatch.setattr(ours.vodozemac, "SessionKey", panic)
        assert outcome(partial(ours.InboundGroupSession, "key")) == Refused("PANIC")

    def test_the_end_of_the_process_is_no_olm_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(ours.vodozemac, "SessionKey", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ours.InboundGroupSession("key")


class Refusals:
    """Any refusal, or what was sent."""

    def __init__(self, sent: Any) -> None:
        self.sent = sent

    def __contains__(self, result: Any) -> bool:
        return isinstance(result, Refused) or result == self.sent
