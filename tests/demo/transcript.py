"""How the demo is printed: scenes, who said what to whom, boxes. At most 100 columns."""

from __future__ import annotations

import sys
import textwrap

WIDTH = 96
SERVICE = "⚙ Coterie"
_NAMES = 20
_TEXT = WIDTH - _NAMES - 3


_last = ""


def show(text: str = "") -> None:
    """Print; of several empty lines in a row, one."""
    global _last
    if text or _last:
        print(text, flush=True)
    _last = text.rpartition("\n")[2]


def prepare_output() -> None:
    """A terminal that knows no arrows gets question marks rather than a traceback."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def scene(title: str) -> None:
    show()
    show(f"── {title} ".ljust(WIDTH, "─"))
    show()


def says(who: str, text: str, *, to: str = "", sign: str = "") -> None:
    """One line of the transcript; `sign` is the service's reaction to it."""
    name = f"{who} → {to}" if to else who
    first, *rest = _wrapped(text, _TEXT)
    show(f"{name:>{_NAMES}}   {first}" + ("" if rest or not sign else f"  {sign}"))
    for n, line in enumerate(rest, 1):
        show(" " * (_NAMES + 3) + line + (f"  {sign}" if sign and n == len(rest) else ""))


def aside(text: str) -> None:
    """What can be seen but was not said."""
    for line in _wrapped(text, WIDTH - 8):
        show(" " * 4 + line)


def box(title: str, text: str) -> None:
    """A message as clients show it."""
    lines = _wrapped(text, WIDTH - 12)
    inner = max(map(len, [*lines, title])) + 2
    show()
    show("    ┌" + f"─ {title} ".ljust(inner, "─") + "┐")
    for line in lines:
        show(f"    │ {line.ljust(inner - 2)} │")
    show("    └" + "─" * inner + "┘")
    show()


def table(heads: list[str], rows: list[tuple[str, list[int]]]) -> None:
    """Numbers with a name before each row; a zero is a dash."""
    left = max(len(name) for name, _ in rows)
    columns = [max(len(head), 4) for head in heads]
    show("    " + " " * left + "".join(f"   {head:>{width}}" for head, width in zip(heads, columns, strict=True)))
    for name, numbers in rows:
        cells = (f"   {n or '–':>{width}}" for n, width in zip(numbers, columns, strict=True))
        show(f"    {name:<{left}}" + "".join(cells))


def _wrapped(text: str, width: int) -> list[str]:
    lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
    return lines
