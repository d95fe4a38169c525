"""Who plays in the demo, and what they buy."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw

OWNER = "Rosa"
CONCIERGE = "Ben"
MEMBERS = ("Ana", "Otto", "Mia", "Jonas", "Nora", "Emil", "Lena", "Paul")
EVERYBODY = (OWNER, CONCIERGE, *MEMBERS)
PASSWORD = "coterie"

_SIZE = 640, 480
_PAPER, _SHADE = (246, 239, 228), (233, 222, 205)
_WOOL = ((176, 86, 60), (201, 121, 82), (223, 164, 112), (237, 205, 160))


def picture() -> bytes:
    """A PNG of a folded throw with stripes and a fringe."""
    image = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    draw.ellipse((70, 355, 570, 445), fill=_SHADE)
    for layer in range(4):
        top = 300 - layer * 62
        _fold(draw, 110 + layer * 8, top, 530 - layer * 8, top + 88, layer)
    for x in range(112, 530, 9):
        sway = 5 * math.sin(x / 17)
        draw.line((x, 386, x + sway, 416), fill=_WOOL[0], width=4)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _fold(draw: ImageDraw.ImageDraw, left: int, top: int, right: int, bottom: int, layer: int) -> None:
    """One layer of the cloth: stripes that follow the weave."""
    draw.rounded_rectangle((left, top, right, bottom), radius=34, fill=_WOOL[layer % 4])
    for n, x in enumerate(range(left + 30, right - 24, 26)):
        draw.line((x, top + 6, x, bottom - 6), fill=_WOOL[(layer + 1 + n % 2) % 4], width=5)
    draw.rounded_rectangle((left, top, right, bottom), radius=34, outline=_SHADE, width=3)
