"""What is said of tables that a concierge takes out of a group buy."""


def not_uploaded(name: str, error: str) -> str:
    why = "does not answer" if error == "UNREACHABLE" else f"refused it ({error})"
    return (
        f"I could not upload {name}: the homeserver {why}. Write !export again later, or ask the operator for the "
        "file: coterie export makes it too."
    )
