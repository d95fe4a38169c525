"""Pure codecs between Matrix content and domain values.

Any member can send anything: what is missing, of the wrong type, too long, or no text at all (NUL, lone surrogates,
floats) never gets past this floor. May import `domain`.
"""
