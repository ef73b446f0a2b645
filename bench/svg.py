"""Charts as SVG text: few shapes, no dependency, the same bytes for the same figures.

Colours follow the reader's light or dark theme. Lengths are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 860
ROW = 26
_LEFT, _RIGHT, _TOP, _BOTTOM = 330, 150, 46, 44
_STYLE = """
  text { font: 13px sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 11px; fill: #59636e }
  .grid { stroke: #8c959f; stroke-opacity: .35 }
  .aware { fill: #1a7f37; stroke: #1a7f37 }
  .peer { fill: #0969da; stroke: #0969da }
  .floor { fill: #9a6700; stroke: #9a6700 }
  .bad { fill: #cf222e; stroke: #cf222e }
  .dot { fill-opacity: .45; stroke: none }
  .median { stroke-width: 3 }
  .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .aware { fill: #3fb950; stroke: #3fb950 }
    .peer { fill: #58a6ff; stroke: #58a6ff }
    .floor { fill: #d29922; stroke: #d29922 }
    .bad { fill: #f85149; stroke: #f85149 }
  }
"""


class Row(NamedTuple):
    """Some values of one name; ``kind``: aware, peer, floor or bad."""

    name: str
    kind: str
    values: Sequence[float]


class Line(NamedTuple):
    """Points (x, y) of one name."""

    name: str
    kind: str
    points: Sequence[tuple[float, float]]


def document(title: str, height: float, parts: Iterable[str]) -> str:
    """The file's text."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    said = f"<title>{escape(title)}</title>"
    return "\n".join([head, said, f"<style>{_STYLE}</style>", _text(12, 24, title, "title"), *parts, "</svg>", ""])


def strips(title: str, unit: str, rows: Sequence[Row], note: str = "") -> str:
    """Every value a dot on a logarithmic axis, a row for each name, with its median."""
    seen = [value for row in rows for value in row.values if value > 0]
    low = math.floor(math.log10(min(seen)))
    high = math.ceil(math.log10(max(seen) * 1.01))
    right, bottom = WIDTH - _RIGHT, _TOP + ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + (math.log10(max(value, 10**low)) - low) / (high - low) * (right - _LEFT)

    parts = []
    for power in range(low, high + 1):
        for step in (1, 2, 5) if power < high else (1,):
            value = step * 10.0**power
            parts.append(f'<path class="grid" d="M{x(value):.1f} {_TOP}V{bottom}"/>')
            parts.append(_text(x(value), bottom + 16, f"{value:g}", "small", "middle"))
    for number, row in enumerate(rows):
        y = _TOP + ROW * (number + 0.5)
        ordered = sorted(row.values)
        middle = len(ordered) // 2
        median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        parts.append(_text(_LEFT - 10, y + 4, row.name, "", "end"))
        parts += [f'<circle class="{row.kind} dot" cx="{x(value):.1f}" cy="{y:.1f}" r="4"/>' for value in ordered]
        parts.append(f'<path class="{row.kind} median" d="M{x(median):.1f} {y - 8:.1f}v16"/>')
        parts.append(_text(right + 10, y + 4, f"{median:.2f} {unit}, n = {len(ordered)}", "small"))
    parts.append(_text(12, bottom + 36, note, "small"))
    return document(title, bottom + _BOTTOM, parts)


def lines(
    title: str, across: str, up: str, shown: Sequence[Line], *, top: float = 0.0, note: str = "", apart: int = 260
) -> str:
    """Values over something, from zero; ``top``: of the upward axis, else what fits; ``apart``: names of lines."""
    left, right, bottom = 60, WIDTH - 30, 320
    points = [point for line in shown for point in line.points]
    widest = max(point[0] for point in points) or 1
    highest = top or _round_up(max(point[1] for point in points) or 1)

    def at(point: tuple[float, float]) -> str:
        x = left + point[0] / widest * (right - left)
        return f"{x:.1f} {bottom - point[1] / highest * (bottom - 70):.1f}"

    parts = []
    for quarter in range(5):
        y, value = at((0, highest * quarter / 4)), highest * quarter / 4
        parts.append(f'<path class="grid" d="M{y}H{right}"/>')
        parts.append(_text(left - 8, float(y.split()[1]) + 4, f"{value:.3g}", "small", "end"))
        tick = widest * quarter / 4
        parts.append(_text(float(at((tick, 0)).split()[0]), bottom + 16, f"{tick:.3g}", "small", "middle"))
    for number, line in enumerate(shown):
        parts.append(f'<path class="{line.kind} line" d="M{"L".join(at(point) for point in line.points)}"/>')
        place = 12 + apart * number
        parts.append(f'<circle class="{line.kind}" cx="{place + 5}" cy="44" r="5"/>')
        parts.append(_text(place + 16, 48, line.name, ""))
    parts += [_text(right, bottom + 34, across, "small", "end"), _text(left, 64, up, "small")]
    return document(title, bottom + 60, [*parts, _text(12, bottom + 50, note, "small")])


def _round_up(value: float) -> float:
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
