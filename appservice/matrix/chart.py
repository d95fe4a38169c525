"""Pictures of figures, to be read on a phone. What is drawn, words included, comes in the effect.

matplotlib is imported when the first picture is drawn: it takes most of a second and 40 MB, which a service without
desks that are asked anything need not spend.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, _DPI = 1080, 1500, 200
_INK, _SOFT, _LINES = "#1a1a1a", "#595959", "#d9d9d9"
_BLUE, _ORANGE = "#0072B2", "#D55E00"
"""Of the colours by Okabe and Ito, which colour-blind people tell apart; the marks differ in shape as well."""
_MOST_NAMED = 8
_SECOND = 1000
_LEFT = 0.035
_drawing = Lock()
"""matplotlib is not made for several threads."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a file, with its size in pixels."""

    data: bytes
    mimetype: str
    width: int
    height: int


def draw(chart: Mapping[str, Any]) -> Picture:
    """Draw a chart of three parts: how many, how long, how old.

    `chart` has `title`, `labels` (one for each day or week), `counts`, `medians` and `p90s` (ms) beside them, None
    where there is no figure; `ticks` as [ms, words] pairs, `ages` as [words, count] pairs or None, and the words
    `counted`, `timed`, `aged`, `median`, `p90`, `hidden`, `hidden_why`, `untimed`, `no_ages`.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # without a home it would tell of its cache at each start
    with _drawing:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        above, middle, below = figure.subplots(3, 1, gridspec_kw={"height_ratios": (4, 5, 4)})
        figure.suptitle(chart["title"], x=_LEFT, y=0.985, ha="left", color=_INK, fontsize=13, fontweight="bold")
        _volume(above, chart)
        _times(middle, chart)
        _ages(below, chart)
        figure.subplots_adjust(left=0.17, right=0.965, top=0.9, bottom=0.03, hspace=0.45)
        out = BytesIO()
        figure.savefig(out, format="png")
    return Picture(out.getvalue(), "image/png", WIDTH, HEIGHT)


def _volume(axes: "Axes", chart: Mapping[str, Any]) -> None:
    """Draw a bar for each day or week: of a few with its number above, of many with a scale beside them."""
    counts = chart["counts"]
    is_few = len(counts) <= _MOST_NAMED
    mark = chart["hidden"] if is_few else "–"
    _prepare(axes, chart["counted"], chart["labels"])
    axes.bar(range(len(counts)), [count or 0 for count in counts], width=0.72, color=_BLUE)
    for place, count in enumerate(counts):
        if is_few or count is None:
            text, colour = (mark, _SOFT) if count is None else (str(count), _INK)
            _above(axes, text, place, count or 0, colour)
    if None in counts:
        axes.annotate(
            f"{mark} {chart['hidden_why']}", (1, 1), (0, 8), xycoords="axes fraction", textcoords="offset points",
            ha="right", va="bottom", fontsize=9, color=_SOFT,
        )  # fmt: skip
    axes.set_ylim(0, max([count or 0 for count in counts] + [1]) * (1.2 if is_few else 1.05))
    axes.yaxis.set_visible(not is_few)
    if not is_few:
        axes.locator_params(axis="y", integer=True, nbins=5)
        axes.grid(axis="y", color=_LINES, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", labelsize=9.5)


def _above(axes: "Axes", text: str, x: float, y: float, colour: str) -> None:
    axes.annotate(text, (x, y), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=10, color=colour)


def _times(axes: "Axes", chart: Mapping[str, Any]) -> None:
    _prepare(axes, chart["timed"], chart["labels"])
    timed = [
        (place, max(median, _SECOND), max(p90, _SECOND))
        for place, (median, p90) in enumerate(zip(chart["medians"], chart["p90s"], strict=True))
        if median is not None and p90 is not None
    ]
    if not timed:
        _say(axes, chart["untimed"])
        return
    places = [place for place, _, _ in timed]
    medians, p90s = [median for _, median, _ in timed], [p90 for _, _, p90 in timed]
    axes.set_yscale("log")
    axes.vlines(places, medians, p90s, color=_LINES, linewidth=3, zorder=1)
    axes.plot(places, p90s, "^", color=_ORANGE, markersize=8, label=chart["p90"], zorder=2)
    axes.plot(places, medians, "o", color=_BLUE, markersize=8, label=chart["median"], zorder=3)
    _scale(axes, chart["ticks"], min(medians), max(p90s))
    axes.grid(axis="y", color=_LINES, linewidth=0.8)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1.02), ncols=2, frameon=False, fontsize=9.5, labelcolor=_INK,
        handletextpad=0.1, columnspacing=1, borderaxespad=0,
    )  # fmt: skip


def _scale(axes: "Axes", ticks: Sequence[Sequence[Any]], least: int, most: int) -> None:
    """Show from the last tick below what there is up to the first above it."""
    low = max([at for at, _ in ticks if at <= least] or [least])
    high = min([at for at, _ in ticks if at >= most] or [most])
    shown = [(at, words) for at, words in ticks if low <= at <= high]
    axes.set_ylim(low * 0.8, high * 1.25)
    axes.set_yticks([at for at, _ in shown], [words for _, words in shown], fontsize=9.5)
    axes.minorticks_off()


def _ages(axes: "Axes", chart: Mapping[str, Any]) -> None:
    ages = chart["ages"]
    _prepare(axes, chart["aged"], [])
    if not ages:
        _say(axes, chart["no_ages"])
        return
    counts = [count for _, count in ages]
    axes.barh(range(len(ages)), counts, height=0.66, color=_BLUE)
    for place, count in enumerate(counts):
        axes.annotate(
            str(count), (count, place), (4, 0), textcoords="offset points", va="center", fontsize=10, color=_INK
        )
    axes.set_yticks(range(len(ages)), [words for words, _ in ages], fontsize=9.5)
    axes.set_xlim(0, max([*counts, 1]) * 1.12)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)


def _prepare(axes: "Axes", title: str, labels: Sequence[str]) -> None:
    """Give a part its title, and the names of its days or weeks: as many as can be read."""
    axes.annotate(
        title, (_LEFT, 1), (0, 8), xycoords=("figure fraction", "axes fraction"), textcoords="offset points",
        ha="left", va="bottom", fontsize=11, fontweight="bold", color=_INK,
    )  # fmt: skip
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_SOFT)
    axes.tick_params(length=0, labelcolor=_INK)
    axes.set_xlim(-0.6, max(len(labels), 1) - 0.4)
    step = -(-len(labels) // _MOST_NAMED)
    named = list(enumerate(labels))[:: step or 1]
    axes.set_xticks([place for place, _ in named], [label for _, label in named], fontsize=9)


def _say(axes: "Axes", text: str) -> None:
    """Say why there is nothing to be seen."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=10.5, color=_SOFT, wrap=True)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
