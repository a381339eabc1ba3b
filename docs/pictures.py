"""The matrix of a run as SVG, light and dark: `python docs/pictures.py RUN [--out docs/images]`.

Words, numbers and the version that passed come from summary.json, colours from the
page's style sheet.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from resect.findings.summary_file import from_data
from resect.report.charts.svg import FONT, el, number, text, words
from resect.report.data.matrix import MARKS, Matrix, Square, matrices, unread
from resect.report.data.scope import Scope

IMAGES = Path(__file__).parent / "images"
STYLE = Path(__file__).parents[1] / "src/resect/report/page/page.css"
WASH = {"pass": "pass-wash", "open": "open-wash", "fail": "fail-wash"}
LEFT, CELL, TALL, GAP = 96.0, 45.0, 40.0, 3.0


def palettes() -> dict[str, dict[str, str]]:
    """The page's colours: `light`, and `dark` with what is not repainted from `light`."""
    light, dark = STYLE.read_text(encoding="utf-8").split("@media (prefers-color-scheme:dark)")[:2]
    colours = re.compile(r"--([\w-]+):(#[0-9a-f]+)")
    plain = dict(colours.findall(light))
    return {"light": plain, "dark": plain | dict(colours.findall(dark.split("}")[0]))}


def cell(square: Square, x: float, y: float, colour: Mapping[str, str]) -> str:
    """One version: its wash, its sign, its number, and a ring where it is the one that passed."""
    wide, middle = CELL - GAP, x + (CELL - GAP) / 2
    ring = {"stroke": colour["good"], "stroke_width": 2.5} if square.winner else {}
    return el(
        "g",
        el("rect", x=x, y=y, width=wide, height=TALL - GAP, rx=4.0,
           fill=colour[WASH.get(square.tone, "wash")], **ring),
        text(middle, y + 15, MARKS[square.tone], text_anchor="middle", fill=colour["ink"]),
        text(middle, y + 30, square.value, text_anchor="middle", fill=colour["ink"]),
    )  # fmt: skip


def band(matrix: Matrix, y: float, colour: Mapping[str, str]) -> tuple[list[str], float]:
    """A model's rows, one a recipe, under its levels; and where they end."""
    soft, ink = colour["soft"], colour["ink"]
    parts = [text(0, y + 14, matrix.model.label, font_weight="600", font_size="14", fill=ink)]
    parts += [
        text(LEFT + i * CELL + (CELL - GAP) / 2, y + 14, level, text_anchor="middle", fill=soft)
        for i, level in enumerate(matrix.levels)
    ]
    y += 22
    for line in matrix.lines:
        parts.append(text(0, y + 23, line.name, fill=soft, font_size="12"))
        parts += [cell(s, LEFT + i * CELL, y, colour) for i, s in enumerate(line.squares)]
        y += TALL
    return parts, y + 12


def picture(drawn: Sequence[Matrix], headline: str, colour: Mapping[str, str]) -> str:
    """The whole picture as SVG text."""
    width = LEFT + CELL * max(len(matrix.levels) for matrix in drawn)
    parts, y = [text(0, 18, headline, font_size="15", font_weight="600", fill=colour["ink"])], 34.0
    for matrix in drawn:
        rows, y = band(matrix, y, colour)
        parts += rows
    key = "✓ passed · ? not proven · ✗ failed · ringed: the version that passed."
    says = f"{key} Numbers: {drawn[0].says}."
    parts.append(text(0, y + 6, says, fill=colour["soft"], font_size="12"))
    box = f"-16 -12 {number(width + 32)} {number(y + 38)}"
    size = {"width": width + 32, "height": y + 38}
    page = el("rect", x=-16.0, y=-12.0, rx=8.0, fill=colour["paper"], **size)
    return el(
        "svg", el("title", words(headline)), page, *parts, xmlns="http://www.w3.org/2000/svg",
        viewBox=box, role="img", font_family=FONT, font_size="11", **size,
    )  # fmt: skip


def main() -> None:
    """Write `matrix-light.svg` and `matrix-dark.svg`."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("run", type=Path, help="a run folder, or its summary.json")
    options.add_argument("--out", type=Path, default=IMAGES)
    asked = options.parse_args()
    path = asked.run if asked.run.is_file() else asked.run / "summary.json"
    summary = from_data(json.loads(path.read_text(encoding="utf-8")), str(path))
    scope = Scope(summary)
    drawn = [matrices(scope, model, unread(scope))[0] for model in scope.models]
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, colour in palettes().items():
        path = asked.out / f"matrix-{name}.svg"
        path.write_text(picture(drawn, scope.headline, colour) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
