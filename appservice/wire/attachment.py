"""`file` of an encrypted attachment (spec: Sending encrypted attachments, v2): where it is, and what opens it."""

import binascii
import re
from typing import Any

from appservice.domain.attachment import FileKey
from appservice.wire.content import at, text_at

_ADDRESS = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9_-]+")
_KEY, _BLOCK, _DIGEST = 32, 16, 32
"""Bytes of an AES-256 key, of a counter block, and of a SHA-256."""


def parse_file(file: object) -> tuple[str, FileKey] | None:
    """Give the `mxc:` address of an encrypted file and what opens it; None where it is of no kind that we read."""
    url = parse_address(file)
    algorithm = (at(file, "v"), at(file, "key", "kty"), at(file, "key", "alg"))
    if url is None or algorithm != ("v2", "oct", "A256CTR"):
        return None
    key = _bytes_at(file, _KEY, "key", "k")
    iv = _bytes_at(file, _BLOCK, "iv")
    sha256 = _bytes_at(file, _DIGEST, "hashes", "sha256")
    return None if key is None or iv is None or sha256 is None else (url, file_key(key, iv, sha256))


def parse_address(content: object) -> str | None:
    """Give the `mxc:` address in a content or `file`."""
    url = text_at(content, "url")
    return url if url is not None and _ADDRESS.fullmatch(url) else None


def format_file(url: str, key: FileKey) -> dict[str, Any]:
    """Give the `file` of an encrypted attachment."""
    jwk = {"kty": "oct", "key_ops": ["encrypt", "decrypt"], "alg": "A256CTR", "k": key.key, "ext": True}
    return {"url": url, "key": jwk, "iv": key.iv, "hashes": {"sha256": key.sha256}, "v": "v2"}


def file_key(key: bytes, iv: bytes, sha256: bytes) -> FileKey:
    """Give what opens a file from its parts."""
    url_safe = to_base64(key).replace("+", "-").replace("/", "_")
    return FileKey(url_safe, to_base64(iv), to_base64(sha256))


def to_base64(raw: bytes) -> str:
    """Give bytes as unpadded base64."""
    return binascii.b2a_base64(raw, newline=False).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    """Give the bytes of base64: of either alphabet, with or without padding. Raises ValueError."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)


def _bytes_at(file: object, size: int, *path: str) -> bytes | None:
    text = text_at(file, *path)
    try:
        raw = from_base64(text) if text else b""
    except ValueError:
        return None
    return raw if len(raw) == size else None
