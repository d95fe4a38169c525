"""Our olm in conversation with python-olm, with itself, through mautrix and with matrix-nio."""

import sys
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import vodozemac
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.matrix import olm as ours
from tests.matrix.olm_sides import (
    PASSPHRASE,
    SIDES,
    STEPS,
    TEXT,
    Device,
    Refused,
    Step,
    both_ways,
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

ours.register()

from mautrix.crypto import InboundGroupSession, OlmAccount, OutboundGroupSession, Session  # noqa: E402
from mautrix.crypto.signature import sign_olm, verify_signature_json  # noqa: E402
from mautrix.errors import EncryptionError  # noqa: E402
from mautrix.types import OlmCiphertext, OlmMsgType  # noqa: E402
from nio.crypto import sessions as nio  # noqa: E402


class TestOlm:
    @needs_libolm
    @settings(deadline=None, max_examples=60)
    @given(STEPS)
    def test_a_conversation_goes_as_between_two_of_libolm(self, steps: list[Step]) -> None:
        expected = list(play((Device(theirs), Device(theirs)), steps))
        for one, other in SIDES.values():
            assert list(play((Device(one), Device(other)), steps)) == expected

    @both_ways
    def test_every_message_of_a_long_conversation_arrives_once(self, one: Any, other: Any) -> None:
        sides = [("send", turn // 3 % 2, str(turn)) for turn in range(300)]
        steps: list[Step] = [step for send in sides for step in (send, ("deliver", send[1], 0))]
        assert list(play((Device(one), Device(other)), steps)) == [(str(turn), str(turn)) for turn in range(300)]

    @both_ways
    def test_messages_arrive_in_any_order_and_each_only_once(self, one: Any, other: Any) -> None:
        sender, receiver = Device(one), Device(other)
        sent = [sender.send(receiver, str(number)) for number in range(40)]
        for number in reversed(range(40)):
            assert receiver.receive(sender, *sent[number]) == str(number)
        for message in sent:
            assert outcome(partial(receiver.receive, sender, *message)) == Refused("BAD_MESSAGE_MAC")

    @both_ways
    def test_both_sides_know_the_session_by_one_id_and_match_its_first_messages(self, one: Any, other: Any) -> None:
        sender, receiver, stranger = Device(one), Device(other), Device(one)
        kind, first = sender.send(receiver, "first")
        _, foreign = stranger.send(receiver, "first")
        receiver.receive(sender, kind, first)
        assert sender.sessions[0].id == receiver.sessions[0].id
        assert receiver.sessions[0].matches(other.OlmPreKeyMessage(sender.send(receiver, "second")[1]))
        assert not receiver.sessions[0].matches(other.OlmPreKeyMessage(foreign))

    @both_ways
    def test_a_message_may_be_any_text(self, one: Any, other: Any) -> None:
        sender, receiver = Device(one), Device(other)
        for text in ("", "\0", "ü", "👩‍👩‍👧", "a" * 1_000_000):
            assert receiver.receive(sender, *sender.send(receiver, text)) == text
        group = one.OutboundGroupSession()
        inbound = other.InboundGroupSession(group.session_key)
        not_utf8: Any = b"a\xff"
        assert receiver.receive(sender, *sender.send(receiver, not_utf8)) == "a\ufffd"
        assert inbound.decrypt(group.encrypt(not_utf8)) == ("a\ufffd", 0)

    @needs_libolm
    @pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 100, 5000])
    def test_the_wire_has_the_form_of_libolm(self, length: int) -> None:
        def forms(library: Any) -> Iterator[Any]:
            sender, receiver = Device(library), Device(library)
            for turn in range(3):
                for one, other in ((sender, receiver), (receiver, sender)):
                    kind, ciphertext = one.send(other, "x" * length)
                    other.receive(one, kind, ciphertext)
                    yield kind, turn, form(raw(ciphertext), tail=0 if kind == 0 else 8)
            group = library.OutboundGroupSession()
            for _ in range(3):
                ciphertext = group.encrypt("x" * length)
                yield len(group.id), len(group.session_key), len(ciphertext), form(raw(ciphertext), tail=8 + 64)

        assert list(forms(ours)) == list(forms(theirs))

    def test_a_first_message_that_is_stored_before_it_is_decrypted_is_decrypted_after_a_restart(self) -> None:
        sender, receiver = Device(ours), Device(ours)
        message = ours.OlmPreKeyMessage(sender.send(receiver, "first")[1])
        made = ours.InboundSession(receiver.account, message, curve(sender.account))
        stored = made.pickle(PASSPHRASE)
        assert b"first" not in raw(stored.partition(b".")[2].decode())
        later = ours.OlmPreKeyMessage(sender.send(receiver, "second")[1])
        for _ in range(2):
            again = ours.Session.from_pickle(stored, PASSPHRASE)
            assert again.matches(message)
            assert again.decrypt(later) == "second"
            assert again.decrypt(message) == "first"
            assert outcome(partial(again.decrypt, message)) == Refused("BAD_MESSAGE_MAC")

    def test_a_message_that_does_not_decrypt_takes_no_one_time_key(self) -> None:
        sender, receiver = Device(ours), Device(ours)
        ciphertext = sender.send(receiver, "first")[1]
        broken = ours.OlmPreKeyMessage(unpadded(flipped(raw(ciphertext), 8 * len(raw(ciphertext)) - 1)))
        for _ in range(2):
            attempt = partial(ours.InboundSession, receiver.account, broken, curve(sender.account))
            assert outcome(attempt) == Refused("BAD_MESSAGE_MAC")
        assert receiver.receive(sender, 0, ciphertext) == "first"

    @both_ways
    def test_a_one_time_key_serves_once_and_a_fallback_key_until_the_second_after_it(
        self, one: Any, other: Any
    ) -> None:
        sender, receiver = one.Account(), other.Account()

        def begin(key: str) -> Any:
            message = one.OutboundSession(sender, curve(receiver), key).encrypt("hello")
            made = other.InboundSession(receiver, other.OlmPreKeyMessage(message.ciphertext), curve(sender))
            receiver.remove_one_time_keys(made)
            return made.decrypt(other.OlmPreKeyMessage(message.ciphertext))

        def fallback_key() -> str:
            receiver.generate_fallback_key()
            (key,) = receiver.fallback_key["curve25519"].values()
            receiver.mark_keys_as_published()
            assert receiver.fallback_key == {"curve25519": {}}
            return key

        (one_time_key,) = publish(receiver)
        first = fallback_key()
        assert [begin(one_time_key), *(begin(first) for _ in range(60))] == ["hello"] * 61
        assert outcome(partial(begin, one_time_key)) == Refused("BAD_MESSAGE_KEY_ID")
        second = fallback_key()
        assert [begin(first), begin(second)] == ["hello"] * 2
        third = fallback_key()
        assert outcome(partial(begin, first)) == Refused("BAD_MESSAGE_KEY_ID")
        assert [begin(second), begin(third)] == ["hello"] * 2

    def test_the_keys_to_publish_are_the_new_ones(self) -> None:
        account = ours.Account()
        assert account.max_one_time_keys == 100
        assert len(set(publish(account, 50))) == 50
        assert account.one_time_keys == {"curve25519": {}}
        assert len(publish(account, 3)) == 3

    def test_a_key_that_makes_no_secret_is_refused(self) -> None:
        account = ours.Account()
        for key in (unpadded(bytes(32)), unpadded(bytes(31) + b"\x80")):
            assert outcome(partial(ours.OutboundSession, account, key, key)) == Refused("INSECURE_KEY")


def form(data: bytes, tail: int) -> Any:
    """The form of a message: version, the tag, and length or value, of each protobuf field, and what is inside."""
    fields, at, end = [], 1, len(data) - tail
    while at < end:
        tag, at = data[at], at + 1
        value, shift = 0, 0
        while True:
            byte, at = data[at], at + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if tag & 7 == 0:
            fields.append((tag, value))
        else:
            nested = form(data[at : at + value], 8) if tail == 0 and tag == 0x22 else None
            fields.append((tag, value, nested))
            at += value
    assert at == end
    return data[0], fields, tail


class TestMegolm:
    @both_ways
    @settings(deadline=None, max_examples=30)
    @given(texts=st.lists(TEXT, min_size=1, max_size=8), shared_at=st.integers(0, 7), data=st.data())
    def test_each_message_from_the_shared_key_on_decrypts_in_any_order(
        self, one: Any, other: Any, texts: list[str], shared_at: int, data: st.DataObject
    ) -> None:
        outbound, sent, inbound = one.OutboundGroupSession(), [], None
        for index, text in enumerate(texts):
            if index == min(shared_at, len(texts) - 1):
                inbound = other.InboundGroupSession(outbound.session_key)
            sent.append((index, text, outbound.encrypt(text)))
        assert inbound is not None
        first = inbound.first_known_index
        assert (inbound.id, first) == (outbound.id, min(shared_at, len(texts) - 1))
        for index, text, ciphertext in data.draw(st.permutations(sent * 2)):
            expected = (text, index) if index >= first else Refused("UNKNOWN_MESSAGE_INDEX")
            assert outcome(partial(inbound.decrypt, ciphertext)) == expected

    @both_ways
    @settings(deadline=None, max_examples=30)
    @given(at=st.integers(0, 70), use=st.integers(0, 70), forgotten=st.integers(0, 600))
    def test_an_exported_key_is_the_same_and_imported_by_the_other(
        self, one: Any, other: Any, at: int, use: int, forgotten: int
    ) -> None:
        outbound = one.OutboundGroupSession()
        key = outbound.session_key
        sent = [outbound.encrypt(str(number)) for number in range(71)]
        exporting = one.InboundGroupSession(key)
        exported = exporting.export_session(at)
        assert exported == other.InboundGroupSession(key).export_session(at)
        imported = other.InboundGroupSession.import_session(exported)
        assert (imported.id, imported.first_known_index, exporting.first_known_index) == (outbound.id, at, 0)
        expected = (str(use), use) if use >= at else Refused("UNKNOWN_MESSAGE_INDEX")
        assert outcome(partial(imported.decrypt, sent[use])) == expected
        again = imported.export_session(at + forgotten)
        assert again == exporting.export_session(at + forgotten)
        if at:
            assert outcome(partial(imported.export_session, at - 1)) == Refused("UNKNOWN_MESSAGE_INDEX")

    @both_ways
    def test_a_message_of_somebody_else_is_refused(self, one: Any, other: Any) -> None:
        inbound = other.InboundGroupSession(one.OutboundGroupSession().session_key)
        foreign = one.OutboundGroupSession().encrypt("hello")
        assert outcome(partial(inbound.decrypt, foreign)) == Refused("BAD_SIGNATURE")


class TestSignatures:
    @both_ways
    @settings(deadline=None, max_examples=50)
    @given(text=TEXT)
    def test_a_signature_of_a_device_is_verified_by_all(self, one: Any, other: Any, text: str) -> None:
        account = one.Account()
        signature = account.sign(text)
        if theirs is not None:
            theirs.ed25519_verify(account.identity_keys["ed25519"], text, signature)
        signed = {"text": text, "signatures": {"@a:b": {"ed25519:D": sign_olm({"text": text}, account)}}}
        assert verify_signature_json(signed, "@a:b", "D", account.identity_keys["ed25519"])
        assert not verify_signature_json(signed, "@a:b", "D", other.Account().identity_keys["ed25519"])
        assert not verify_signature_json(signed | {"text": text + "."}, "@a:b", "D", account.identity_keys["ed25519"])

    @needs_libolm
    @settings(deadline=None, max_examples=50)
    @given(seed=st.binary(min_size=32, max_size=32).filter(any), text=TEXT)
    def test_a_seed_makes_the_key_and_the_signatures_of_libolm(self, seed: bytes, text: str) -> None:
        mine, original = ours.PkSigning(seed), theirs.PkSigning(seed)
        assert (mine.public_key, mine.sign(text)) == (original.public_key, original.sign(text))

    def test_a_seed_has_32_bytes(self) -> None:
        for seed in (b"", bytes(31), bytes(33), None):
            assert isinstance(outcome(partial(ours.PkSigning, seed)), Refused)


class TestMautrix:
    def test_it_uses_ours(self) -> None:
        for kind, base in (
            (OlmAccount, ours.Account),
            (Session, ours.Session),
            (InboundGroupSession, ours.InboundGroupSession),
            (OutboundGroupSession, ours.OutboundGroupSession),
        ):
            assert issubclass(kind, base)

    def test_registering_again_does_nothing_and_after_another_olm_it_fails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours.register()
        assert sys.modules["olm"] is ours
        monkeypatch.setattr(sys.modules["mautrix.crypto.sessions"], "olm", ModuleType("olm"))
        with pytest.raises(ImportError, match="before"):
            ours.register()

    def test_a_room_key_goes_over_olm_and_the_message_over_megolm(self) -> None:
        sender, receiver = OlmAccount(), OlmAccount()
        keys = receiver.get_one_time_keys("@r:test", "R", 0)
        assert len(keys) == 50
        signed = next(iter(keys.values()))
        assert verify_signature_json(signed, "@r:test", "R", receiver.signing_key)
        device = receiver.get_device_keys("@r:test", "R").serialize()
        assert verify_signature_json(device, "@r:test", "R", receiver.signing_key)
        receiver.mark_keys_as_published()

        outbound = OutboundGroupSession("!room:test")
        with pytest.raises(EncryptionError):
            outbound.encrypt("not shared")
        outbound.shared = True
        olm_session = sender.new_outbound_session(receiver.identity_key, signed["key"])
        sent = olm_session.encrypt(outbound.share_content.session_key)
        receiver = OlmAccount.from_pickle(receiver.pickle(PASSPHRASE), PASSPHRASE, shared=True)
        received = receiver.new_inbound_session(sender.identity_key, sent.body)
        assert received.matches(sent.body)
        inbound = InboundGroupSession(received.decrypt(sent), sender.signing_key, sender.identity_key, "!room:test")
        assert inbound.id == outbound.id
        for number in range(3):
            assert inbound.decrypt(outbound.encrypt(str(number))) == (str(number), number)

        answer = received.encrypt("back")
        assert (int(sent.type), int(answer.type), olm_session.decrypt(answer)) == (0, 1, "back")
        later = inbound.ratchet_to(2)
        assert (later.id, later.first_known_index, later.room_id) == (inbound.id, 2, "!room:test")
        assert isinstance(received.describe(), str)

    def test_it_talks_with_matrix_nio(self) -> None:
        mine, other = OlmAccount(), nio.OlmAccount()
        other.generate_one_time_keys(1)
        (key,) = other.one_time_keys["curve25519"].values()
        session = mine.new_outbound_session(other.identity_keys["curve25519"], key)
        message = vodozemac.PreKeyMessage.from_base64(session.encrypt("to nio").body)
        theirs_in = nio.InboundSession(other, message, mine.identity_key)
        assert theirs_in.decrypt(message) == "to nio"
        kind, data = theirs_in.encrypt("from nio").to_parts()
        assert session.decrypt(OlmCiphertext(type=OlmMsgType(kind), body=unpadded(data))) == "from nio"

        outbound = OutboundGroupSession("!room:test")
        outbound.shared = True
        group = nio.InboundGroupSession(outbound.session_key, mine.signing_key, mine.identity_key, "!room:test")
        assert group.decrypt(outbound.encrypt("to all")) == ("to all", 0)
        from_nio = nio.OutboundGroupSession()
        inbound = InboundGroupSession(from_nio.session_key, "signing", "identity", "!room:test")
        from_nio.mark_as_shared()
        assert inbound.decrypt(from_nio.encrypt("to us")) == ("to us", 0)
