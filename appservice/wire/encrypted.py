"""m.room.encrypted (spec: End-to-End Encryption, m.megolm.v1.aes-sha2): only its envelope can be read here."""

TYPE = "m.room.encrypted"
MEGOLM = "m.megolm.v1.aes-sha2"
