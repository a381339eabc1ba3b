"""A heat map of numbers by block and part: as lines for a terminal, and as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

Table = Mapping[int, Mapping[str, float]]
"""Values, not negative, by row and by column; a cell may be missing."""

_SHADES = " ░▒▓█"
_CELL, _ROW, _LEFT, _TOP = 110, 18, 60, 56
_LEAST = 1e-12


def columns(table: Table) -> list[str]:
    """The columns in the order in which they first come."""
    return list(dict.fromkeys(column for row in table.values() for column in row))


def heats(table: Table) -> dict[float, float]:
    """By value: its place between the lowest and the highest, 0 .. 1, by logarithm."""
    logs = {v: math.log(max(v, _LEAST)) for row in table.values() for v in row.values()}
    low, high = min(logs.values()), max(logs.values())
    return {value: (log - low) / ((high - low) or 1.0) for value, log in logs.items()}


def lines(table: Table) -> str:
    """One line a row: its number, and in every column the value and a bar of four shades."""
    names, heat = columns(table), heats(table)
    text = ["block  " + "  ".join(f"{name:<16}" for name in names).rstrip()]
    for number, row in table.items():
        cells = []
        for name in names:
            if name in row:
                shade = _SHADES[1 + min(3, int(4 * heat[row[name]]))]
                bar = shade * (1 + round(6 * heat[row[name]]))
                cells.append(f"{row[name]:<8.3g} {bar:<7}")
            else:
                cells.append(" " * 16)
        text.append(f"{number:>5}  " + "  ".join(cells).rstrip())
    return "\n".join(text)


def svg(table: Table, title: str) -> str:
    """The map as a picture that stands alone; cells are darker where values are higher."""
    names, heat = columns(table), heats(table)
    width = max(_LEFT + _CELL * len(names), 7 * len(title)) + 20
    height = _TOP + _ROW * len(table) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20">{escape(title)}</text>',
    ]
    for place, name in enumerate(names):
        parts.append(f'<text x="{_LEFT + place * _CELL + 4}" y="{_TOP - 8}">{escape(name)}</text>')
    for line, (number, row) in enumerate(table.items()):
        y = _TOP + line * _ROW
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{number}</text>')
        for place, name in enumerate(names):
            if name in row:
                warm = heat[row[name]]
                ink = "white" if warm > 0.6 else "black"
                x = _LEFT + place * _CELL
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_ROW - 2}" '
                    f'fill="hsl(12 75% {96 - 60 * warm:.0f}%)"/>'
                    f'<text x="{x + 4}" y="{y + 13}" fill="{ink}">{row[name]:.3g}</text>'
                )
    return "\n".join([*parts, "</svg>"]) + "\n"
