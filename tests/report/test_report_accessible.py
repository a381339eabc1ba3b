"""The page for everyone: axe-core finds nothing, and the first screen answers four questions.

axe-core (MPL-2.0) stands beside this file as it is published; nothing of it is in the package.
"""

from __future__ import annotations

import html as entities
import json
import re
from pathlib import Path

import findings_fixture as findings
import pytest
import report_fixture as fixture
from test_report_browser import CHROMIUM, dom
from test_report_page import Reader

from resect.report.page import render as page

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
RUN = """
<script>
addEventListener("load", async () => {
  while (!document.documentElement.dataset.ready) await new Promise((go) => setTimeout(go, 10));
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const done = await axe.run(document, { resultTypes: ["violations"] });
  const shown = done.violations.map(
    (v) => [v.id, v.nodes.slice(0, 2).map((n) => n.html.slice(0, 99))]);
  document.body.setAttribute("data-axe", JSON.stringify(shown));
});
</script></body>"""


def given() -> str:
    """A page with every finding, a chosen version, sizes and answers."""
    data = findings.summary()
    data["measurements"] = [
        row | {"bytes_on_disk": round(1e6 * (1 - row["level"]))} for row in data["measurements"]
    ]
    data["choice"] = [findings.choice(findings.MODELS[0])]
    return page.render(fixture.load(data), fixture.shown(findings.examples()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", given())
    path = tmp_path_factory.mktemp("axe") / "report.html"
    path.write_text(html.replace("</body>", f"<script>{AXE}</script>{RUN}"), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["verdict", "evidence", "answers"])
def test_axe_finds_nothing(site: Path, tab: str, scheme: str) -> None:
    flag = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    shown = dom(site, f"#tab={tab}", flag, "--virtual-time-budget=60000")
    found = re.search(r'data-axe="([^"]*)"', shown)
    assert found, "axe did not end"
    assert json.loads(entities.unescape(found[1])) == []


def first_screen(html: str) -> str:
    """What is read before anything is opened or scrolled far: the header and the first section."""
    body = html[html.index("<header") : html.index("</section>", html.index('<div class="panel"'))]
    return " ".join(" ".join(Reader(body).words).split())


def test_the_first_screen_answers_what_how_small_on_what_how_sure() -> None:
    """The checklist of every page, here of one whose verdict came from the analysis itself."""
    from answers_by_hand import cell, flipped, run

    gold = ["yes", "no"] * 200
    rows = [cell("m", x, gold, flipped(gold, n)) for x, n in ((0.0, 5), (0.25, 6), (0.5, 40))]
    shown = first_screen(page.render(fixture.load(run(rows))))
    assert re.search(r"version that passed: cut at 25 %", shown)  # what
    assert re.search(r"✓ −0\.5", shown)  # how small a change ...
    assert re.search(r"Recipe 25 % 50 %", shown)  # ... at which level
    assert re.search(r"on t \(400 items\)", shown)  # on what
    assert re.search(r"one-sided alpha 0\.025", shown)  # how sure
    assert re.search(r"-0\.5 points \[-\d\.\d, \+\d\.\d\], margin 5", shown)
    assert "Not a statement of clinical safety" in shown
    assert not re.search(r"\bsafe\b", shown)
