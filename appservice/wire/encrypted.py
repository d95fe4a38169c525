"""m.room.encrypted (spec: End-to-End Encryption, m.megolm.v1.aes-sha2): only its envelope can be read here."""

TYPE = "m.room.encrypted"
MEGOLM = "m.megolm.v1.aes-sha2"
ONE_TIME_KEY = "signed_curve25519"
"""The kind of keys by which others begin a session with a device; its fallback key is one as well."""
