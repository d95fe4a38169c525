"""`m.room.redaction`: taking an event back. The envelope (wire/event.py) knows both places of `redacts`."""

TYPE = "m.room.redaction"
