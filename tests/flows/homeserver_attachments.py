"""Encrypted files, as clients put them into encrypted rooms (spec: `EncryptedFile`). Pure."""

from __future__ import annotations

import base64
import hashlib
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.flows.homeserver_device import padless, unpadded
from tests.flows.homeserver_events import Json


def seal_file(data: bytes) -> tuple[bytes, Json]:
    """The encrypted bytes, and an `EncryptedFile` that has no `url` yet."""
    key, counter = os.urandom(32), os.urandom(8) + bytes(8)
    sealed = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(data)
    words = base64.urlsafe_b64encode(key).decode().rstrip("=")
    jwk = {"kty": "oct", "key_ops": ["encrypt", "decrypt"], "alg": "A256CTR", "k": words, "ext": True}
    hashes = {"sha256": unpadded(hashlib.sha256(sealed).digest())}
    return sealed, {"v": "v2", "key": jwk, "iv": unpadded(counter), "hashes": hashes}


def open_file(sealed: bytes, file: Json) -> bytes:
    """What was encrypted; fails where the hash is another."""
    assert padless(file["hashes"]["sha256"]) == hashlib.sha256(sealed).digest(), "the file was changed on its way"
    key = base64.urlsafe_b64decode(file["key"]["k"] + "=" * (-len(file["key"]["k"]) % 4))
    return Cipher(algorithms.AES(key), modes.CTR(padless(file["iv"]))).decryptor().update(sealed)
