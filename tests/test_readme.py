"""README: short, its picture drawn by a script, its links alive; every file says what it is for."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import tree


def test_every_file_says_its_purpose_in_a_line():
    every = [*tree.tree().splitlines(), *tree.lines(ROOT / "src/resect", 1)]
    for line in [*every, *tree.lines(ROOT / "tools", 1)]:
        if line.split()[0].endswith("/") and len(line.split()) == 1:
            continue
        name, _, purpose = line.strip().partition(" ")
        assert 8 < len(purpose.strip()) < 110, f"{name}: {purpose!r}"


def test_links_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            written = link.startswith("reference/") and link != "reference/python.md"  # by the site
            if not link.startswith("http") and not written:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_is_read_in_a_minute():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    assert "<picture>" in text
    assert {"docs/images/matrix-dark.svg", "docs/images/matrix-light.svg"} <= set(
        re.findall(r"docs/images/[\w.-]+", text)
    )


def test_the_rates_of_the_readme_are_those_of_the_verdicts_page():
    readme = (ROOT / "README.md").read_text()
    page = (ROOT / "docs/verdict.md").read_text()
    rates = re.findall(r"\.(\d{4}) to \.(\d{4}), 26 of 27|one named \| [^|]+ \| \.(\d{4})", page)
    shown = [f"{int(rate) / 100:.2f}" for row in rates for rate in row if rate]
    assert len(shown) == 3
    assert all(re.search(rf"\b{rate}\b", readme) for rate in shown), shown


def test_the_picture_is_drawn_from_findings():
    import pictures

    from resect.report.data.matrix import Line, Matrix, Square
    from resect.report.data.scope import Model

    square = Square("pass", "passed", "−1.7", "a<b", "", True)
    model = Model("m", "specialist", "The one", 0)
    drawn = Matrix(model, "", "points", "", ("50 %",), (Line("x", "x", (square,)),))
    for name, colour in pictures.palettes().items():
        text = pictures.picture([drawn], "Passed & named", colour)
        root = ElementTree.fromstring(text)
        shown = {element.text for element in root.iter()}
        assert {"Passed & named", "The one", "50 %", "−1.7", "✓"} <= shown
        assert colour["good"] in text, "the version that passed has a ring"
        stored = (ROOT / f"docs/images/matrix-{name}.svg").read_text()
        assert f'fill="{colour["paper"]}"' in stored, "run python docs/pictures.py RUN"
    light, dark = pictures.palettes().values()
    assert light["paper"] != dark["paper"]
