"""What is said to people who ask what they can do."""

from collections.abc import Sequence

from appservice.present.text import Text, esc


def help_text(commands: Sequence[tuple[str, str]], *, joined: bool) -> Text:
    """List what a person can type here, each with what it does."""
    buttons = "On a group buy's card you can also react +1, +2 or +5, or reply with a number like +2."
    signs = "✅ you are in, ⏳ you wait for a place or a lower price, ⚠️ see what I wrote to you."
    way_in = "If you were invited to a group, join its room first; if you were given a code, send it to me."
    tail = [buttons, signs] if joined else [way_in]
    if any("…" in usage for usage, _ in commands):
        tail.insert(0, "Where … stands, the command without anything after it shows the rest.")
    plain = [f"{usage}: {summary}" for usage, summary in commands]
    rows = "".join(f"<li><code>{esc(usage)}</code>: {esc(summary)}</li>" for usage, summary in commands)
    html = (f"<ul>{rows}</ul>" if rows else "") + "".join(f"<p>{esc(line)}</p>" for line in tail)
    return Text("\n".join(plain + tail), html)
