"""Plots as SVG, made on the server; what they show is also said in words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

_BAR, _GAP, _HEIGHT, _TICK = 5, 1, 26, 6
_STRIP = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" preserveAspectRatio="none">')
_PART = Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>')
_COLOURS = {
    "authoritative": "#4a9d6e",
    "failed": "#cf3a2d",
    "held": "#8259be",
    "pending": "#e3ac16",
    "not_due": "#8a949e66",
    "not_expected": "#8a949e22",
}
"""Of what is an image by itself, which the style sheet does not reach: on light and dark ground alike."""
_LEFT, _TOP, _WIDTH, _HIGH = 64, 24, 640, 220
_PLOT = Markup('<svg class=plot viewBox="0 0 {} {}" role=img aria-label="{}">')
_GRID = Markup('<path class=grid d="M{0} {1}h{2}"/><text class=axis x="{3}" y="{1}" text-anchor=end dy=4>{4}</text>')
_X_TEXT = Markup('<text class=axis x="{}" y="{}" text-anchor=middle>{}</text>')


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a strip: how many partitions of which state, the worst last."""

    day: date
    parts: Sequence[tuple[str, int]]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(number for _, number in self.parts)


def strip(bars: Sequence[Bar]) -> Markup:
    """A bar a day, its parts by state, with a tick under each day that lacks something; an image by itself."""
    width = len(bars) * (_BAR + _GAP)
    drawn = [_STRIP.format(width, _HEIGHT + _TICK)]
    for number, bar in enumerate(bars):
        x, y = number * (_BAR + _GAP), float(_HEIGHT)
        drawn.append(_PART.format(x, 0, _BAR, _HEIGHT, _COLOURS["not_expected"]))
        for state, part in bar.parts:
            if part:
                # A single partition of thousands is still seen, over what is there.
                height = max(_HEIGHT * part / bar.total, 3.0 if _is_missing(state) else 0.0)
                y = max(y - height, 0.0)
                drawn.append(_PART.format(x, f"{y:.1f}", _BAR, f"{height:.1f}", _COLOURS[state]))
        if any(part and _is_missing(state) for state, part in bar.parts):
            tick = '<path fill="{}" d="M{} {}l2.5 4h-5z"/>'
            drawn.append(Markup(tick).format(_COLOURS["failed"], x + _BAR / 2, _HEIGHT + 1.5))
    return Markup("").join([*drawn, Markup("</svg>")])


def _is_missing(state: str) -> bool:
    return state in ("failed", "held", "pending")


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a plot with what is said of it."""

    x: float
    y: float
    says: str


def meter(part: float, whole: float, says: str, also: float = 0) -> Markup:
    """How much of a whole is used; `also` is what will be used beside it."""
    width = 240
    used = min(part / whole, 1.0) * width if whole else 0.0
    more = min(also / whole * width, width - used) if whole else 0.0
    return Markup(
        '<svg class=meter viewBox="0 0 {0} 12" preserveAspectRatio=none role=img aria-label="{1}"><title>{1}</title>'
        '<rect class=none x="0" y="0" width="{0}" height="12" rx="2"/>'
        '<rect class=used x="0" y="0" width="{2}" height="12" rx="2"/>'
        '<rect class=forecast x="{2}" y="0" width="{3}" height="12"/></svg>'
    ).format(width, says, f"{used:.1f}", f"{more:.1f}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a plot: its label, its height, what is said of it."""

    label: str
    value: float
    says: str


def column_plot(columns: Sequence[Column], says: str, x_label: str, y_label: str) -> Markup:
    """A column each, over an axis from 0."""
    frame = _Frame(_nice(max((one.value for one in columns), default=1.0)))
    drawn = [frame.begin(says, x_label, y_label)]
    step = _WIDTH / max(len(columns), 1)
    for number, one in enumerate(columns):
        x, y = _LEFT + number * step, frame.y(one.value)
        drawn.append(
            Markup(
                '<g><title>{}</title><rect class=used x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/></g>'
            ).format(one.says, x + step * 0.12, y, step * 0.76, _TOP + _HIGH - y)
        )
        if number % max(len(columns) // 12, 1) == 0:
            drawn.append(_X_TEXT.format(f"{x + step / 2:.1f}", _TOP + _HIGH + 18, one.label))
    return Markup("").join([*drawn, Markup("</svg>")])


def line_plot(lines: Iterable[tuple[str, Sequence[Point]]], says: str, x_label: str, y_label: str) -> Markup:
    """Lines over one axis, the y axis from 0; each line has a class of its own, `line0` and so on."""
    named = list(lines)
    points = [point for _, line in named for point in line]
    most = max((point.x for point in points), default=1.0) or 1.0
    frame = _Frame(_nice(max((point.y for point in points), default=1.0)))
    drawn = [frame.begin(says, x_label, y_label)]
    for value in _ticks(most):
        drawn.append(_X_TEXT.format(f"{_LEFT + value / most * _WIDTH:.1f}", _TOP + _HIGH + 18, _figure(value)))
    for number, (name, line) in enumerate(named):
        places = [(f"{_LEFT + point.x / most * _WIDTH:.1f}", f"{frame.y(point.y):.1f}") for point in line]
        path = "".join(f"{'L' if index else 'M'}{x} {y}" for index, (x, y) in enumerate(places))
        drawn.append(Markup('<g class=line{}><path d="{}"><title>{}</title></path>').format(number, path, name))
        for point, (x, y) in zip(line, places, strict=True):
            drawn.append(Markup('<circle cx="{}" cy="{}" r="3"><title>{}</title></circle>').format(x, y, point.says))
        drawn.append(Markup("</g>"))
    return Markup("").join([*drawn, Markup("</svg>")])


@dataclass(frozen=True, slots=True)
class _Frame:
    """The axes of a plot, whose y axis goes up to `most`."""

    most: float

    def y(self, value: float) -> float:
        """Where a value is."""
        return _TOP + _HIGH - min(value / self.most, 1.0) * _HIGH

    def begin(self, says: str, x_label: str, y_label: str) -> Markup:
        """The beginning of the drawing: its grid and what its axes are."""
        drawn = [_PLOT.format(_LEFT + _WIDTH + 24, _TOP + _HIGH + 48, says)]
        for step in range(5):
            value = self.most * step / 4
            drawn.append(_GRID.format(_LEFT, f"{self.y(value):.1f}", _WIDTH, _LEFT - 8, _figure(value)))
        drawn.append(_X_TEXT.format(_LEFT + _WIDTH / 2, _TOP + _HIGH + 40, x_label))
        drawn.append(Markup('<text class=axis x="{}" y="{}">{}</text>').format(_LEFT + 6, _TOP - 8, y_label))
        return Markup("").join(drawn)


def differences(rows: Sequence[tuple[str, float | None]], says: str) -> Markup:
    """A bar for each figure that moved, to the left where it fell; in per cent, None where it was 0 before."""
    height, middle, half = 22, 360, 150
    most = max((abs(value) for _, value in rows if value is not None), default=0.0) or 1.0
    drawn = [
        Markup('<svg class=diff viewBox="0 0 640 {}" role=img aria-label="{}">').format(len(rows) * height + 4, says)
    ]
    for number, (name, value) in enumerate(rows):
        y = number * height + 4
        length = half if value is None else abs(value) / most * half
        x = middle - length if value is not None and value < 0 else middle
        said = "new" if value is None else f"{value:+.2f} %"
        drawn.append(
            Markup(
                '<text class=axis x="{}" y="{}" text-anchor=end>{}</text>'
                '<rect class="{}" x="{}" y="{}" width="{}" height="14"/><text class=axis x="{}" y="{}">{}</text>'
            ).format(
                middle - half - 12,
                y + 11,
                name[:28],
                "fell" if value is not None and value < 0 else "rose",
                f"{x:.1f}",
                y,
                f"{max(length, 1):.1f}",
                middle + half + 10,
                y + 11,
                said,
            )
        )
    drawn.append(Markup('<path class=grid d="M{} 0v{}"/></svg>').format(middle, len(rows) * height + 4))
    return Markup("").join(drawn)


def _nice(value: float) -> float:
    """The next round number at or above a value."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= value)


def _ticks(most: float) -> list[float]:
    step = next(one for one in (1, 2, 5, 7, 10, 15, 30, 60, 100, 1000) if most / one <= 10 or one == 1000)
    return [float(number) for number in range(0, int(most) + 1, step)]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0")
