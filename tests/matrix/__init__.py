"""The door to the homeserver: what it may send us, and what it gets for an answer."""
