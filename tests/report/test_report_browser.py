"""The page in a browser: no error, switches work, nothing injected runs. Needs chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import findings_fixture as findings
import pytest
import report_fixture as fixture

from resect.report.page import render as page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    ("--no-sandbox " if os.geteuid() == 0 else "")  # root has no sandbox
    + "--headless=new --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --virtual-time-budget=3000"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "report.html"
    path.write_text(
        page.render(fixture.load(findings.summary()), fixture.shown(findings.examples())),
        encoding="utf-8",
    )
    return path


def dom(site: Path, state: str = "", *flags: str) -> str:
    """The document after its script has run, at an address ending in `state`."""
    assert CHROMIUM
    command = [
        CHROMIUM,
        *FLAGS.split(),
        *flags,
        f"--user-data-dir={site.parent / 'profile'}",
        "--dump-dom",
        f"{site.as_uri()}{state}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def shown(html: str, kind: str) -> list[tuple[str, str]]:
    """(task, metric) of every visible figure of one kind."""
    found = re.findall(
        rf'<figure data-kind="{kind}" data-task="([^"]*)" data-recipe="[^"]*" '
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
    assert re.search(r'<form class="controls filters"[^>]*>', html)
    assert not re.search(r'<form class="controls[^"]*"[^>]* hidden', html)


def test_the_address_drives_the_view(site: Path) -> None:
    html = dom(site, "#metric=skill&view=text&task=pubmedqa")
    assert 'data-ready="yes"' in html
    assert "data-error=" not in html
    assert shown(html, "curves") == [("pubmedqa", "skill")]
    assert {task for task, _ in shown(html, "outcomes")} == {"pubmedqa"}
    assert '<body data-view="text"' in html


def selected_tab(html: str) -> list[str]:
    """The tabs that are selected, and the panels that are shown."""
    tabs = re.findall(r'data-tab="(\w+)"[^>]*aria-selected="true"', html)
    panels = re.findall(r'<div class="panel"([^>]*)>', html)
    return tabs + [re.findall(r'id="(\w+)"', panel)[0] for panel in panels if "hidden" not in panel]


@pytest.mark.parametrize("tab", ["verdict", "evidence", "answers"])
def test_one_tab_is_shown(site: Path, tab: str) -> None:
    html = dom(site, f"#tab={tab}")
    assert "data-error=" not in html
    assert selected_tab(html) == [tab, tab]


def test_a_link_to_a_section_opens_its_tab(site: Path) -> None:
    assert selected_tab(dom(site, "#outcomes")) == ["evidence", "evidence"]


def test_answers_are_read_and_filtered_and_stay_text(site: Path) -> None:
    html = dom(site, "#tab=answers&item=21645374")
    assert "data-error=" not in html
    assert "data-pwned" not in html
    browser = html[html.index('id="answers-list"') : html.index("<footer")]
    assert "&lt;script&gt;document.documentElement.dataset.pwned" in browser
    assert "\\u202eevil\\u202c \\x07\\x1b[31m\\x00 \\ud800" in browser
    assert "\u202e" not in browser
    assert "<img" not in browser
    assert re.search(r'aria-current="true"[^>]*>21645374', browser)
    assert browser.count("<pre") == 6
    assert "2000 of 1000000 characters shown" in dom(site, "#tab=answers&item=<b>7</b>")
    lost = dom(site, "#tab=answers&flips=lost&level=0.8&outcome=degenerate")
    assert ">1 items" in lost.replace("\n", "") or "1 items." in lost
    assert "0 items." in dom(site, "#tab=answers&outcome=echo&level=0.8")


def marks(html: str) -> list[str]:
    """What the answers of the open item are called, model by model in order of levels."""
    return re.findall(r'class="chip ([\w-]+)"', html[html.index('id="answers-item"') :])


def test_answers_are_right_and_wrong_by_the_view(site: Path) -> None:
    """Options never stay silent; flips and marks follow the view that the filter bar names."""
    by_text = marks(dom(site, "#tab=answers&item=21645374"))
    by_option = marks(dom(site, "#tab=answers&item=21645374&view=options"))
    assert by_text == ["right", "no-answer", "no-answer", "right", "wrong", "no-answer"]
    assert by_option == ["right", "right", "wrong", "right", "wrong", "wrong"]
    at_half = "#tab=answers&flips=lost&level=0.5&model=0"
    assert "1 items." in dom(site, at_half)
    assert "0 items." in dom(site, f"{at_half}&view=options")


def test_a_filter_by_model_hides_the_other(site: Path) -> None:
    html = dom(site, "#model=1&tab=evidence")
    assert '<body data-view="both" data-model="1"' in html
    tiles = re.findall(r'<div class="tile[^"]*"[^>]*data-slot="(\d)"([^>]*)>', html)
    assert {slot for slot, rest in tiles if "hidden" not in rest} == {"1"}


def test_a_wrong_address_changes_nothing(site: Path) -> None:
    html = dom(site, "#metric=%3Cscript%3E&view=sideways&task=nope")
    assert "data-error=" not in html
    assert shown(html, "curves") == [(task, "accuracy") for task in fixture.TASKS]


def test_an_empty_page_has_no_error(site: Path) -> None:
    path = site.parent / "empty.html"
    path.write_text(page.render(fixture.load(fixture.empty())), encoding="utf-8")
    html = dom(path)
    assert 'data-ready="yes"' in html
    assert "data-error=" not in html


INTERACTION = """
<script>
addEventListener("load", async () => {
  while (!document.documentElement.dataset.ready) await new Promise((go) => setTimeout(go, 10));
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
  const figure = document.querySelector("figure[data-metric=retention]");
  const buttons = figure.querySelectorAll("[data-save]");
  buttons.forEach((button) => button.dataset.save !== "png" && button.click());
});
</script></body>"""


def test_keys_clicks_and_saving(site: Path) -> None:
    html = page.render(fixture.load(fixture.summary()), fixture.shown(fixture.examples()))
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
        'data-saved-2="model,role,recipe,seed,task,view,level,measured_level,n,status,retention,'
        in driven
    )


def test_every_switch_has_its_own_figures(site: Path) -> None:
    html = dom(site, "#bias=criterion&trust=brier&marks=off")
    assert {metric for _, metric in shown(html, "bias")} == {"criterion"}
    assert {metric for _, metric in shown(html, "trust")} == {"brier"}
    assert [metric for _, metric in shown(html, "curves")] == ["accuracy"] * 3
    assert 'data-marks="off"' in html
    assert len(shown(html, "pareto")) == 1


def test_no_request_leaves_the_page(site: Path) -> None:
    log = site.parent / "net.json"
    dom(site, "", f"--log-net-log={log}", "--net-log-capture-mode=Everything")
    text = log.read_text(encoding="utf-8", errors="replace")
    asked = set(re.findall(r'"url":"(?!file:|chrome|data:|blob:|about:)([^"]+)"', text))
    # the browser itself may look for its maker's hosts; nothing of the page's may be there
    own = ("google", "gstatic", "chromium.org", "googleapis", "gvt1")
    assert not [url for url in asked if not any(host in url for host in own)]


TIMED = """
<script>
addEventListener("securitypolicyviolation", (e) =>
  document.documentElement.setAttribute("data-violation", e.violatedDirective));
addEventListener("load", () => setTimeout(() => {
  const t = performance.timing;
  document.documentElement.setAttribute("data-interactive", t.domInteractive - t.navigationStart);
  document.documentElement.setAttribute("data-loaded", t.loadEventEnd - t.navigationStart);
}, 0));
</script></body>"""


def loaded_in(html: str, path: Path) -> int:
    """Milliseconds from navigation to the end of the load event."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    path.write_text(html.replace("</body>", TIMED), encoding="utf-8")
    found = re.search(r'data-loaded="(\d+)"', dom(path))
    assert found
    return int(found.group(1))


def test_it_is_ready_soon(site: Path) -> None:
    html = page.render(fixture.load(findings.summary()), fixture.shown(findings.examples()))
    assert len(html.encode()) < 1_500_000
    assert loaded_in(html, site.parent / "timed.html") < 10_000


NUMBERS = """
<script>
addEventListener("load", () => {
  const cells = {};
  document.querySelectorAll('figure[data-kind=curves]').forEach((figure) => {
    const key = figure.dataset.task + "|" + figure.dataset.metric;
    cells[key] = Array.from(figure.querySelectorAll("tbody tr"),
      (row) => Array.from(row.cells, (cell) => cell.textContent));
  });
  document.body.setAttribute("data-cells", JSON.stringify(cells));
});
</script></body>"""


def test_curves_in_the_document_equal_the_summary(site: Path) -> None:
    summary = findings.summary((0.0, 0.3, 0.5))
    html = page.render(fixture.load(summary))
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    path = site.parent / "numbers.html"
    path.write_text(html.replace("</body>", NUMBERS), encoding="utf-8")
    found = re.search(r'data-cells="([^"]*)"', dom(path))
    assert found
    cells = json.loads(found.group(1).replace("&quot;", '"').replace("&amp;", "&"))
    for task in fixture.TASKS:
        rows = [row for row in summary["curves"] if row["task"] == task]
        shown_levels = cells[f"{task}|accuracy"]
        for i, level in enumerate((0.0, 0.3, 0.5)):
            wanted = [
                f"{r['accuracy'] * 100:.1f} % [{r['accuracy_low'] * 100:.1f}, "
                f"{r['accuracy_high'] * 100:.1f}]"
                for r in rows
                if r["level"] == level
            ]
            assert [cell.split(" (")[0] for cell in shown_levels[i][1:]] == wanted
