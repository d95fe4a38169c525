"""The part of python-olm's API that mautrix's crypto uses, over vodozemac.

python-olm binds libolm, which is deprecated and has no wheel from Python 3.13 on; vodozemac is its successor and
speaks the same on the wire: Olm v1 and Megolm v1, unpadded base64. `register` puts this module in python-olm's place,
before the first import of mautrix.crypto. Names and error codes ("BAD_MESSAGE_MAC") are libolm's; whatever the input,
only the four errors below come out.

A pickle is vodozemac's within AES-GCM, under a key that HKDF makes of the passphrase. HKDF does not slow guessing
down, so the passphrase must be random (ours has 256 bits). libolm's pickles are read too, except those of outbound
group sessions, in whose place a new session is made.
"""

import binascii
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar, Self

import vodozemac
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_OURS = "coterie1."
_NONCE, _DIGEST = 12, 32

_CODES_BY_TYPE: tuple[tuple[str, tuple[type[Exception], ...]], ...] = (
    ("BAD_ACCOUNT_KEY", (vodozemac.PickleException, vodozemac.LibolmPickleException, InvalidTag)),
    ("BAD_MESSAGE_FORMAT", (vodozemac.DecodeException,)),
    ("BAD_MESSAGE_MAC", (vodozemac.OlmDecryptionException, vodozemac.MegolmDecryptionException)),
    ("BAD_MESSAGE_MAC", (vodozemac.SessionCreationException,)),
    ("BAD_SESSION_KEY", (vodozemac.SessionKeyDecodeException,)),
    ("INVALID_BASE64", (vodozemac.KeyException, binascii.Error)),
    ("INVALID_INPUT", (Exception,)),
)
_CODES_BY_WORDS = (
    ("BAD_MESSAGE_KEY_ID", "unknown one-time key"),
    ("BAD_MESSAGE_KEY_ID", "identity key doesn't match"),
    ("BAD_MESSAGE_VERSION", "have a valid version"),
    ("BAD_SIGNATURE", "The signature on"),
    ("INSECURE_KEY", "insecure key exchange"),
    ("INVALID_BASE64", "valid base64"),
    ("UNKNOWN_MESSAGE_INDEX", "unknown message index"),
    ("UNKNOWN_PICKLE_VERSION", "unsupported version"),
)
"""What vodozemac says where the type does not tell enough. libolm has no INSECURE_KEY: it takes such a key."""


class OlmAccountError(Exception):
    """An account was not read, or did not sign."""


class OlmSessionError(Exception):
    """A session was not made or read, or a message not encrypted or decrypted."""


class OlmGroupSessionError(Exception):
    """The same for a group session."""


class PkSigningError(Exception):
    """The seed makes no key, or the message is not text."""


def register() -> None:
    """Make this module what mautrix.crypto imports as `olm`; calling it again does nothing.

    Raises ImportError where mautrix.crypto has been imported with another one.
    """
    ours = sys.modules[__name__]
    taken = sys.modules.get("mautrix.crypto.sessions")
    if taken is not None and getattr(taken, "olm", ours) is not ours:
        raise ImportError("mautrix.crypto was imported, with another olm, before appservice.matrix.olm.register()")
    binding = ModuleType("_libolm")
    binding.__dict__.update(ffi=None, lib=None)  # only looked at, by Session.describe
    sys.modules.update({"olm": ours, "_libolm": binding})


class _Pickled:
    """State that outlives the process: `_inner`, an object of vodozemac's class `_RUST`, and what Session adds."""

    _RUST: ClassVar[Any]
    _ERROR: ClassVar[type[Exception]]
    _inner: Any
    _first = b""

    def pickle(self, passphrase: str | bytes = "") -> bytes:
        """Return the state in ASCII, encrypted."""
        with _failing_as(self._ERROR):
            key, nonce = _key(passphrase), os.urandom(_NONCE)
            state = self._inner.pickle(key).encode() + b"." + self._first
            return (_OURS + _base64(nonce + AESGCM(key).encrypt(nonce, state, None))).encode()

    @classmethod
    def from_pickle(cls, pickle: str | bytes, passphrase: str | bytes = "") -> Self:
        """Return the object of a pickle, ours or libolm's; raises BAD_ACCOUNT_KEY for a wrong passphrase."""
        with _failing_as(cls._ERROR):
            text = _bytes(pickle).decode("ascii")
            restored = cls.__new__(cls)
            if text.startswith(_OURS):
                key, sealed = _key(passphrase), _decoded(text.removeprefix(_OURS))
                state, _, restored._first = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).partition(b".")
                restored._inner = cls._RUST.from_pickle(state.decode(), key)
            elif hasattr(cls._RUST, "from_libolm_pickle"):
                restored._inner = cls._RUST.from_libolm_pickle(text, _bytes(passphrase))
            else:
                raise cls._ERROR("UNKNOWN_PICKLE_VERSION: libolm's outbound group sessions are not read")
            return restored


class Account(_Pickled):
    """The keys of a device: two that identify it, one-time keys and a fallback key for new sessions."""

    _RUST = vodozemac.Account
    _ERROR = OlmAccountError
    max_one_time_keys = 100
    """As many as libolm holds, of which mautrix publishes half; vodozemac holds 5000."""

    def __init__(self) -> None:
        self._inner = vodozemac.Account()

    @property
    def identity_keys(self) -> dict[str, str]:
        """The public keys that identify the device: `{"curve25519": …, "ed25519": …}`."""
        return {"curve25519": self._inner.curve25519_key.to_base64(), "ed25519": self._inner.ed25519_key.to_base64()}

    def sign(self, message: str | bytes) -> str:
        """Return the Ed25519 signature of the device."""
        with _failing_as(OlmAccountError):
            return str(self._inner.sign(_bytes(message)).to_base64())

    def generate_one_time_keys(self, count: int) -> None:
        """Add so many unpublished one-time keys."""
        self._inner.generate_one_time_keys(count)

    @property
    def one_time_keys(self) -> dict[str, dict[str, str]]:
        """The unpublished one-time keys: `{"curve25519": {key id: key}}`."""
        return {"curve25519": {key_id: key.to_base64() for key_id, key in self._inner.one_time_keys.items()}}

    def remove_one_time_keys(self, session: "Session") -> None:
        """Do nothing: making an InboundSession has removed its key."""

    def generate_fallback_key(self) -> None:
        """Make a new fallback key. The last one still serves until the next; the one before it is forgotten."""
        self._inner.generate_fallback_key()

    @property
    def fallback_key(self) -> dict[str, dict[str, str]]:
        """The fallback key while it is unpublished, in the form of `one_time_keys`."""
        return {"curve25519": {key_id: key.to_base64() for key_id, key in self._inner.fallback_key.items()}}

    def mark_keys_as_published(self) -> None:
        """Note that the server has the one-time keys and the fallback key."""
        self._inner.mark_keys_as_published()


class _Session(_Pickled):
    @property
    def id(self) -> str:
        """The same on all sides."""
        return str(self._inner.session_id)


class _OlmMessage:
    """A message of an Olm session, in base64; what is wrong with it shows when it is used."""

    message_type: ClassVar[int]

    def __init__(self, ciphertext: str) -> None:
        self.ciphertext = ciphertext

    def _parsed(self) -> Any:
        return vodozemac.AnyOlmMessage.from_parts(self.message_type, _decoded(self.ciphertext))

    def _digest(self) -> bytes:
        return hashlib.sha256(_decoded(self.ciphertext)).digest()


class OlmPreKeyMessage(_OlmMessage):
    """A message that also begins the session: what is sent until the other side has answered."""

    message_type = 0


class OlmMessage(_OlmMessage):
    """A message of a session that both sides know."""

    message_type = 1


class Session(_Session):
    """An Olm session with one device.

    vodozemac makes an inbound session by decrypting its first message; mautrix makes it, stores it and then decrypts.
    So `_first` keeps SHA-256 of that message and its plaintext, in the pickle too, until it is decrypted.
    """

    _RUST = vodozemac.Session
    _ERROR = OlmSessionError

    def matches(self, message: OlmPreKeyMessage) -> bool:
        """Tell whether the message begins this session; raises OlmSessionError where it is malformed."""
        with _failing_as(OlmSessionError):
            return bool(self._inner.session_matches(message._parsed().to_pre_key()))

    def encrypt(self, plaintext: str | bytes) -> OlmPreKeyMessage | OlmMessage:
        """Return the next message."""
        with _failing_as(OlmSessionError):
            message_type, raw = self._inner.encrypt(_bytes(plaintext)).to_parts()
        return OlmMessage(_base64(raw)) if message_type else OlmPreKeyMessage(_base64(raw))

    def decrypt(self, message: OlmPreKeyMessage | OlmMessage) -> str:
        """Return the plaintext, U+FFFD for what is not UTF-8; a message can be decrypted once."""
        with _failing_as(OlmSessionError):
            if self._first and message._digest() == self._first[:_DIGEST]:
                plaintext, self._first = self._first[_DIGEST:], b""
            else:
                plaintext = self._inner.decrypt(message._parsed())
            return plaintext.decode("utf-8", "replace")


class InboundSession(Session):
    """A session that the other device began."""

    def __init__(self, account: Account, message: OlmPreKeyMessage, identity_key: str) -> None:
        """Make it of the first message; its one-time key leaves the account, unless OlmSessionError is raised."""
        with _failing_as(OlmSessionError):
            sender = vodozemac.Curve25519PublicKey.from_base64(identity_key)
            self._inner, plaintext = account._inner.create_inbound_session(sender, message._parsed().to_pre_key())
            self._first = message._digest() + plaintext


class OutboundSession(Session):
    """A session that we begin."""

    def __init__(self, account: Account, identity_key: str, one_time_key: str) -> None:
        """Make it of the other device's keys; raises OlmSessionError."""
        with _failing_as(OlmSessionError):
            keys = (vodozemac.Curve25519PublicKey.from_base64(key) for key in (identity_key, one_time_key))
            self._inner = account._inner.create_outbound_session(*keys)


class InboundGroupSession(_Session):
    """A Megolm session to decrypt with."""

    _RUST = vodozemac.InboundGroupSession
    _ERROR = OlmGroupSessionError

    def __init__(self, session_key: str) -> None:
        """Make it of the key that an outbound session shares; raises OlmGroupSessionError."""
        with _failing_as(OlmGroupSessionError):
            self._inner = vodozemac.InboundGroupSession(vodozemac.SessionKey(session_key))

    @classmethod
    def import_session(cls, session_key: str) -> Self:
        """Return the session of an exported key: nothing in it proves who made it."""
        with _failing_as(OlmGroupSessionError):
            session = cls.__new__(cls)
            session._inner = cls._RUST.import_session(vodozemac.ExportedSessionKey(session_key))
            return session

    def export_session(self, message_index: int) -> str:
        """Return the key that decrypts from this index on; raises UNKNOWN_MESSAGE_INDEX for an earlier one."""
        with _failing_as(OlmGroupSessionError):
            exported = self._inner.export_at(message_index)
            if exported is None:
                raise OlmGroupSessionError("UNKNOWN_MESSAGE_INDEX")
            return str(exported.to_base64())

    @property
    def first_known_index(self) -> int:
        """The first message that can be decrypted."""
        return int(self._inner.first_known_index)

    def decrypt(self, ciphertext: str) -> tuple[str, int]:
        """Return the plaintext and its index; a message can be decrypted again. Raises OlmGroupSessionError."""
        with _failing_as(OlmGroupSessionError):
            decrypted = self._inner.decrypt(vodozemac.MegolmMessage.from_bytes(_decoded(ciphertext)))
            return decrypted.plaintext.decode("utf-8", "replace"), decrypted.message_index


class OutboundGroupSession(_Session):
    """A Megolm session to encrypt with."""

    _RUST = vodozemac.GroupSession
    _ERROR = OlmGroupSessionError

    def __init__(self) -> None:
        self._inner = vodozemac.GroupSession()

    @property
    def session_key(self) -> str:
        """The secret that decrypts from the next message on."""
        return str(self._inner.session_key.to_base64())

    def encrypt(self, plaintext: str | bytes) -> str:
        """Return the next message, in base64."""
        with _failing_as(OlmGroupSessionError):
            return str(self._inner.encrypt(_bytes(plaintext)).to_base64())


class PkSigning:
    """A cross-signing key: Ed25519, of a seed of 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        with _failing_as(PkSigningError):
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = _base64(self._key.public_key().public_bytes_raw())

    def sign(self, message: str | bytes) -> str:
        """Return the signature."""
        with _failing_as(PkSigningError):
            return _base64(self._key.sign(_bytes(message)))


@contextmanager
def _failing_as(error: type[Exception]) -> Iterator[None]:
    """Turn what a bad input causes in here, a panic of vodozemac included, into this error with libolm's code."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, InvalidTag) as reason:
        by_type = next(code for code, types in _CODES_BY_TYPE if isinstance(reason, types))
        raise error(next((code for code, words in _CODES_BY_WORDS if words in str(reason)), by_type)) from None
    except BaseException as reason:
        if type(reason).__name__ != "PanicException":  # not an Exception, and importable from nowhere
            raise
        raise error("PANIC") from None


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(memoryview(text))


def _key(passphrase: str | bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"coterie pickle").derive(_bytes(passphrase))


def _base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").decode()


def _decoded(text: str | bytes) -> bytes:
    bare = _bytes(text).rstrip(b"=")
    return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
