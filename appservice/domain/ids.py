"""Names for the strings that stand for things, so that a type checker tells them apart."""

from typing import NewType

UserId = NewType("UserId", str)
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
GroupId = NewType("GroupId", str)
ProductId = NewType("ProductId", str)
BuyId = NewType("BuyId", str)
OrderId = NewType("OrderId", str)
Number = NewType("Number", int)
"""A member's number in a group: given on the first joining, never reused; the ledger keys on it."""

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""What random ids are made of: nothing that a person mistakes for something else when reading it out."""
