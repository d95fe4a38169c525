"""Flows: a transaction goes in, and a fake homeserver over real HTTP recorded exactly this."""
