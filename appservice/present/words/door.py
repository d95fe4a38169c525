"""What somebody reads whom the homeserver stops at the door of a room, in their client's own error message."""

NO_JOINING = "You cannot join this room now. Ask whoever told you of it."
NO_INVITING = "Only the service invites into this room: send it !invite and the person's Matrix id, by direct message."
