"""What the service answers over HTTP besides the homeserver's transactions: the door before the event.

Handlers are thin; what they ask of the rest is handed in. May import actions and what is below them, not commands.
"""
