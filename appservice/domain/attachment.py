"""A file that is stored encrypted, as files of encrypted rooms are."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileKey:
    """What opens an encrypted file, in unpadded base64: the AES key (URL-safe), the first counter block, and the
    SHA-256 of what is stored."""

    key: str = field(repr=False)
    iv: str
    sha256: str
