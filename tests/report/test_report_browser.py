"""The page in a browser: no error, switches work, nothing injected runs. Needs chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import report_fixture as fixture

from resect.report import page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --virtual-time-budget=3000"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "report.html"
    path.write_text(page.render(fixture.summary(), fixture.examples()), encoding="utf-8")
    return path


def dom(site: Path, state: str = "") -> str:
    """The document after its script has run, at an address ending in `state`."""
    assert CHROMIUM
    command = [
        CHROMIUM,
        *FLAGS.split(),
        f"--user-data-dir={site.parent / 'profile'}",
        "--dump-dom",
        f"{site.as_uri()}{state}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def shown(html: str, kind: str) -> list[tuple[str, str]]:
    """(task, metric) of every visible figure of one kind."""
    found = re.findall(
        rf'<figure data-kind="{kind}" data-task="([^"]*)" data-treatment="[^"]*" '
        r'data-metric="([^"]*)"([^>]*)>',
        html,
    )
    return [(task, metric) for task, metric, rest in found if "hidden" not in rest]


def test_it_loads_without_an_error(site: Path) -> None:
    html = dom(site)
    assert 'data-ready="yes"' in html
    assert "data-error=" not in html
    assert "data-pwned" not in html
    assert shown(html, "curves") == [(task, "accuracy") for task in fixture.TASKS]
    assert re.search(r'<form class="controls"[^>]*>', html)
    assert not re.search(r'<form class="controls"[^>]* hidden', html)


def test_the_address_drives_the_view(site: Path) -> None:
    html = dom(site, "#metric=skill&view=text&task=pubmedqa")
    assert 'data-ready="yes"' in html
    assert "data-error=" not in html
    assert shown(html, "curves") == [("pubmedqa", "skill")]
    assert {task for task, _ in shown(html, "outcomes")} == {"pubmedqa"}
    assert '<body data-view="text"' in html


def test_a_wrong_address_changes_nothing(site: Path) -> None:
    html = dom(site, "#metric=%3Cscript%3E&view=sideways&task=nope")
    assert "data-error=" not in html
    assert shown(html, "curves") == [(task, "accuracy") for task in fixture.TASKS]


def test_an_empty_page_has_no_error(site: Path) -> None:
    path = site.parent / "empty.html"
    path.write_text(page.render({}), encoding="utf-8")
    html = dom(path)
    assert 'data-ready="yes"' in html
    assert "data-error=" not in html


INTERACTION = """
<script>
addEventListener("load", () => {
  const saved = [];
  URL.createObjectURL = (blob) => { blob.text().then((t) => { saved.push(t);
    document.body.setAttribute("data-saved", saved.length);
    document.body.setAttribute("data-saved-" + saved.length, t.slice(0, 200)); }); return "#"; };
  HTMLAnchorElement.prototype.click = () => {};
  const radio = document.querySelector('[name=metric][value=retention]');
  radio.click();
  const plot = document.querySelector('figure[data-metric=retention] .plot');
  plot.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
  document.body.setAttribute("data-tip", document.querySelector(".tip").textContent);
  const buttons = document.querySelectorAll('figure[data-metric=retention] [data-save]');
  buttons.forEach((button, i) => i < 2 && button.click());
});
</script></body>"""


def test_keys_clicks_and_saving(site: Path) -> None:
    html = page.render(fixture.summary(), fixture.examples())
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    path = site.parent / "driven.html"
    path.write_text(html.replace("</body>", INTERACTION), encoding="utf-8")
    driven = dom(path)
    assert "data-error=" not in driven
    assert shown(driven, "curves") == [(task, "retention") for task in fixture.TASKS]
    assert re.search(r'data-tip="95 %specialist, text: [^"]*base, options: ', driven)
    assert 'data-saved="2"' in driven
    assert 'data-saved-1="&lt;svg xmlns=' in driven or 'data-saved-1="<svg xmlns=' in driven
    assert (
        'data-saved-2="model,role,treatment,seed,task,view,level,measured_level,n,status,retention,'
        in driven
    )
