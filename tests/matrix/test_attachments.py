"""Encrypted attachments: what another client writes is read, and the reverse; all else is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nio.crypto import attachments as nio
from nio.exceptions import EncryptionError

from appservice.domain.attachment import FileKey
from appservice.matrix.attachments import WrongFile, decrypt, encrypt, image_type
from appservice.wire.attachment import file_key, format_file, from_base64, parse_file, to_base64

MXC = "mxc://example.org/abc"


def parsed(file: object) -> FileKey:
    found = parse_file(file)
    assert found is not None and found[0] == MXC
    return found[1]


@given(st.binary(max_size=200))
def test_what_is_encrypted_comes_out_as_it_was(data: bytes) -> None:
    stored, key = encrypt(data)
    assert len(stored) == len(data)
    assert decrypt(stored, parsed(format_file(MXC, key))) == data


@given(st.binary(max_size=5000))
def test_another_client_reads_what_is_written_and_the_reverse(data: bytes) -> None:
    stored, key = encrypt(data)
    file = format_file(MXC, key)
    assert nio.decrypt_attachment(stored, file["key"]["k"], file["hashes"]["sha256"], file["iv"]) == data
    theirs, said = nio.encrypt_attachment(data)
    assert decrypt(theirs, parsed({**said, "url": MXC})) == data
    assert file.keys() == {*said, "url"} and {**file["key"], "k": ""} == {**said["key"], "k": ""}


def test_each_file_has_a_key_of_its_own_and_its_counter_begins_at_zero() -> None:
    keys = [encrypt(b"a file")[1] for _ in range(20)]
    assert len({key.key for key in keys}) == len({key.iv for key in keys}) == 20
    assert {from_base64(key.iv)[8:] for key in keys} == {bytes(8)}


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_file_that_was_changed_is_refused(data: bytes, draw: st.DataObject) -> None:
    stored, key = encrypt(data)
    at = draw.draw(st.integers(0, len(stored) - 1))
    changed = stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]
    for wrong in (changed, stored + b"\0", stored[:-1]):
        with pytest.raises(WrongFile):
            decrypt(wrong, key)
        with pytest.raises(EncryptionError):
            nio.decrypt_attachment(wrong, key.key, key.sha256, key.iv)


def test_what_is_stored_is_compared_before_anything_is_decrypted() -> None:
    stored, key = encrypt(b"a file")
    with pytest.raises(WrongFile):
        decrypt(stored, replace(key, sha256=to_base64(bytes(32)), key="no key at all"))


@given(st.binary(min_size=16, max_size=100))
def test_under_another_key_or_counter_it_is_no_image(data: bytes) -> None:
    png = b"\x89PNG\r\n\x1a\n" + data
    stored, key = encrypt(png)
    assert image_type(decrypt(stored, key)) == "image/png"
    other = encrypt(b"")[1]
    for wrong in (replace(key, key=other.key), replace(key, iv=other.iv)):
        assert decrypt(stored, wrong) != png and image_type(decrypt(stored, wrong)) is None


def test_the_key_is_in_no_words_about_it() -> None:
    key = file_key(b"\xff" * 32, bytes(16), bytes(32))
    assert "_____" in key.key and "_____" not in repr(key)


@pytest.mark.parametrize(
    ("data", "mimetype"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"\0\0\0\x1cftypisom", None),
        (b"RIFF\x10\0\0\0WAVE", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_an_image_is_told_by_its_first_bytes(data: bytes, mimetype: str | None) -> None:
    assert image_type(data) == mimetype
