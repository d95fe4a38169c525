"""Encrypted attachments (spec: Sending encrypted attachments, v2): AES-256 in counter mode and a SHA-256 over it.

`cryptography`, which olm.py needs anyway, does in these lines what mautrix.crypto.attachments would need another
library for.
"""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from appservice.domain.attachment import FileKey
from appservice.wire.attachment import file_key, from_base64

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_IN_BOXES = {b"avif": "image/avif", b"heic": "image/heic"}


class WrongFile(ValueError):
    """What is stored is not what its sender has stored."""


def encrypt(data: bytes) -> tuple[bytes, FileKey]:
    """Give a file as it is to be stored, and what opens it; each time under a key of its own."""
    key, iv = os.urandom(32), os.urandom(8) + bytes(8)
    stored = Cipher(AES(key), CTR(iv)).encryptor().update(data)
    return stored, file_key(key, iv, hashlib.sha256(stored).digest())


def decrypt(stored: bytes, key: FileKey) -> bytes:
    """Give a file as it was before it was stored. Raises WrongFile before anything is decrypted."""
    if not hmac.compare_digest(hashlib.sha256(stored).digest(), from_base64(key.sha256)):
        raise WrongFile
    return Cipher(AES(from_base64(key.key)), CTR(from_base64(key.iv))).decryptor().update(stored)


def image_type(data: bytes) -> str | None:
    """Give the type of an image by its first bytes; None for what is none, and for SVG, which can hold scripts."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return _IN_BOXES.get(data[8:12])
    return next((mimetype for head, mimetype in _IMAGES if data.startswith(head)), None)
