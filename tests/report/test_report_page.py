"""The page: self-contained, equal to the summary, safe with any text, honest about gaps."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import findings_fixture as findings
import pytest
import report_fixture as fixture

from resect.findings.summary_file import to_data
from resect.report.page import render as page
from resect.report.page.payload import compact


class Reader(HTMLParser):
    """Collects elements, their attributes, visible words and the content of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append((self.elements[-1][1], data))
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.words.append(data)


@pytest.fixture(scope="module")
def html() -> str:
    return page.render(fixture.load(fixture.summary()), fixture.shown(fixture.examples()))


@pytest.fixture(scope="module")
def reader(html: str) -> Reader:
    return Reader(html)


def embedded(html: str) -> Any:
    """What the page embeds; rows in columns."""
    found = re.search(r'<script type="application/gzip" id="payload">(.*?)</script>', html, re.S)
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found.group(1), validate=True)))


def book(html: str) -> Any:
    """The answers that the page embeds."""
    found = re.search(r'<script type="application/gzip" id="book">(.*?)</script>', html, re.S)
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found.group(1), validate=True)))


def visible(html: str) -> str:
    return " ".join(Reader(html).words)


def test_embedded_data_equal_the_summary(html: str) -> None:
    """Exactly what is packed; test_report_payload.py has what the script makes of it."""
    assert embedded(html)["summary"] == compact(to_data(fixture.load(fixture.summary())))


def test_embedded_data_cannot_leave_their_script() -> None:
    summary = fixture.summary((0.0,)) | {"warnings": [fixture.HOSTILE]}
    html = page.render(fixture.load(summary))
    assert embedded(html)["summary"]["warnings"] == [fixture.HOSTILE]
    found = re.search(r'id="payload">(.*?)</script>', html, re.S)
    assert found
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", found.group(1))


def test_nothing_is_asked_of_any_host(reader: Reader) -> None:
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith("#"), (tag, value)
    assert not any(re.search(r"url\(|@import", style) for style in reader.styles)


def test_policy_allows_exactly_what_is_inside(reader: Reader) -> None:
    policy = next(
        a["content"] or ""
        for tag, a in reader.elements
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    runnable = [content for attributes, content in reader.scripts if not attributes.get("type")]
    assert len(runnable) == 1
    assert len(reader.styles) == 2
    for content in [*runnable, *reader.styles]:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    for _, attributes in reader.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


def test_model_output_stays_text(html: str) -> None:
    """It is packed, and the script writes it as text alone (see the tests in a browser)."""
    assert html.count("<script") == 3
    assert "<img" not in html
    assert "\u202e" not in html
    assert "\x07" not in html
    assert "\ud800" not in html
    html.encode("utf-8")
    assert fixture.HOSTILE in book(html)["texts"]
    script = re.search(r"<script>(.*?)</script>", html, re.S)
    assert script
    assert script[1].count("innerHTML") == 1  # of figures, which this page drew itself


def test_a_megabyte_is_cut_and_its_length_kept(html: str) -> None:
    answers = book(html)
    assert max(len(text) for text in answers["texts"]) == 2000
    assert list(answers["lengths"].values()) == [1_000_000]


def test_every_answer_is_in_the_page(html: str) -> None:
    answers = book(html)
    rows = answers["answers"]
    cells, items = answers["cells"]["columns"], answers["items"]["columns"]
    told = {
        (cells["model"]["values"][cell], cells["level"]["values"][cell],
         items["item_id"]["values"][item], answers["texts"][text][:20])
        for cell, item, text in zip(rows["cell"], rows["item"], rows["text"], strict=True)
    }  # fmt: skip
    assert told == {
        (row["model"], row["level"], row["item_id"], row["text"][:20]) for row in fixture.examples()
    }


def test_hostile_names_anywhere() -> None:
    summary = json.loads(json.dumps(fixture.summary((0.0, 0.5))).replace("pubmedqa", "%HOSTILE%"))
    bad = fixture.HOSTILE
    text = (
        json.dumps(summary)
        .replace("%HOSTILE%", json.dumps(bad)[1:-1])
        .replace("BioMistral", "<b>'\\\"")
    )
    html = page.render(fixture.load(json.loads(text)))
    assert html.count("<script") == 2
    assert "<img" not in html
    assert "<b>'" not in html
    for tag, attributes in Reader(html).elements:
        assert not [name for name in attributes if name.startswith("on")], tag


def test_size_of_a_full_study(html: str) -> None:
    assert len(html.encode()) < 1_000_000


def test_every_curve_number_is_in_a_table(html: str) -> None:
    shown = visible(html)
    for row in fixture.summary()["curves"]:
        low, high = row["accuracy_low"] * 100, row["accuracy_high"] * 100
        assert f"{row['accuracy'] * 100:.1f} % [{low:.1f}, {high:.1f}]" in shown


def _without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(summary: dict[str, Any]) -> None:
        empty = fixture.empty()
        for key in keys:
            summary[key] = empty[key]

    return change


def _emptied(summary: dict[str, Any]) -> None:
    for key in ("curves", "robustness", "comparisons", "cliffs", "measurements", "warnings"):
        summary[key] = []


def _one_model(summary: dict[str, Any]) -> None:
    for key in ("curves", "robustness", "cliffs", "measurements", "models"):
        summary[key] = [row for row in summary[key] if row["role"] == "specialist"]
    summary["comparisons"] = []


def _one_view(summary: dict[str, Any]) -> None:
    for key in ("curves", "robustness", "cliffs", "comparisons"):
        summary[key] = [row for row in summary[key] if row["view"] == "text"]


def _only_options(summary: dict[str, Any]) -> None:
    for key in ("curves", "robustness", "cliffs", "comparisons"):
        summary[key] = [row for row in summary[key] if row["view"] == "options"]


def _nulls(summary: dict[str, Any]) -> None:
    for key in ("curves", "robustness", "comparisons", "cliffs", "measurements"):
        for row in summary[key]:
            for name, value in row.items():
                if isinstance(value, float) and name != "level":
                    row[name] = None
            if "metrics" in row:
                row["metrics"] = {}
                row["status"], row["reason"] = "failed", None
            if "verdict" in row:
                row["verdict"] = row["verdict_holm"] = None
                row["reason"] = "no baseline"


@pytest.mark.parametrize(
    ("change", "levels", "said"),
    [
        (_emptied, (0.0, 0.5), "No cell has an answer yet"),
        (_one_model, (0.0, 0.5, 0.9), "Only one model was asked"),
        (_one_view, (0.0, 0.5, 0.9), "The options view was not asked"),
        (_only_options, (0.0, 0.5, 0.9), "The text view was not asked"),
        (_nulls, (0.0, 0.5, 0.9), "not available"),
        (lambda summary: None, (0.0,), "Fewer than three levels"),
        (lambda summary: None, (0.5,), "The intact model was not asked"),
        (
            _without("tasks", "headline", "provenance", "warnings"),
            (0.0, 0.5),
            "No verdict was computed",
        ),
    ],
)
def test_what_is_missing_is_said(
    change: Callable[[dict[str, Any]], None], levels: tuple[float, ...], said: str
) -> None:
    summary = fixture.summary(levels)
    change(summary)
    shown = visible(page.render(fixture.load(summary)))
    assert said in shown
    assert not re.search(r"\bNone\b|\bnan\b|\bnull\b|\bundefined\b", shown)


def test_sections_with_nothing_to_say_are_left_out() -> None:
    whole, bare = fixture.summary((0.0, 0.5)), fixture.summary((0.0, 0.5))
    _without("measurements", "robustness", "comparisons", "cliffs", "warnings")(bare)
    for html, stands in ((page.render(fixture.load(s)), s is whole) for s in (whole, bare)):
        nav = html.partition('aria-label="Sections"')[2].partition("</nav>")[0]
        links = dict(re.findall(r'<a href="#(\w+)">([^<]*)</a>', nav))
        for name in ("size", "robustness", "cliffs"):
            assert (name in links) == stands
            assert (f'<section id="{name}">' in html) == stands
        for name, title in links.items():
            assert f'<section id="{name}">\n<h2>{title}</h2>' in html


def test_an_empty_summary_is_a_page() -> None:
    assert "No cell has an answer yet" in visible(page.render(fixture.load(fixture.empty())))


def test_a_tested_sweep_is_shown() -> None:
    tested = findings.summary()["verdicts"][0] | {"tasks": []}
    shown = visible(page.render(fixture.load(fixture.summary() | {"verdicts": [tested]})))
    assert "Passed up to" in shown
    assert "0.0250" in shown
    assert "no level is claimed" not in shown


def test_two_recipes_get_their_own_figures() -> None:
    summary = fixture.summary((0.0, 0.5, 0.9))
    for key in ("curves", "robustness", "comparisons", "cliffs"):
        summary[key] += [row | {"recipe": "wanda"} for row in summary[key]]
    html = page.render(fixture.load(summary))
    assert '<option value="wanda">' in html
    recipes = embedded(html)["figures"]["columns"]["recipe"]["values"]
    recipes += re.findall(r'<figure [^>]*data-recipe="([^"]*)"', html)
    assert recipes.count("wanda") == recipes.count("magnitude") > 0
    assert 'data-recipe="magnitude"' in html
