"""Reliability beside utility on the page: numbers of charts and tables are the summary’s."""

from __future__ import annotations

from typing import Any

import findings_fixture as findings
import pytest

from resect.report import formatting as text
from resect.report.data import reliability_tables as reliable
from resect.report.data import scope as reading
from resect.report.page import render as page

CUT = "magnitude"


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return findings.summary((0.0, 0.2, 0.4, 0.6))


def spots(line: Any) -> list[tuple[Any, Any]]:
    return [(spot[0], spot[2]) for spot in line.spots]


def test_one_axis_holds_skill_and_every_measure(summary: dict[str, Any]) -> None:
    """One that never had a value has no line."""
    kept = [one for one in reliable.panels(summary, CUT) if one.metric == "kept"]
    (one,) = kept
    assert [line.label for line in one.chart.lines] == ["skill", "grounded", "consistency"]
    row = summary["reliability_first"][0]
    for line, side in zip(one.chart.lines, ("utility", "reliability", "reliability"), strict=True):
        assert spots(line) == [(at["level"], at[side]["value"]) for at in row["levels"]]


def test_abstention_and_domains_have_their_own_charts(summary: dict[str, Any]) -> None:
    shown = {p.metric: p.chart for p in reliable.panels(summary, CUT) if p.metric != "kept"}
    assert set(shown) == {"abstention", "domains"}
    (line,) = shown["abstention"].lines
    (row,) = summary["abstention"]
    assert spots(line) == [(at["level"], at["j"]["value"]) for at in row["levels"]]
    (row,) = summary["domains"]
    for line in shown["domains"].lines:
        assert spots(line) == [(at["level"], at[line.label]["value"]) for at in row["levels"]]


def test_a_measure_of_one_model_is_not_drawn_for_another(summary: dict[str, Any]) -> None:
    other = reading.models(summary)[1]
    assert reliable.kept_chart(summary, "pubmedqa", CUT, other) is None
    assert reliable.panels(summary, "wanda") == []


def test_the_table_says_which_is_first_by_how_many_levels(summary: dict[str, Any]) -> None:
    table = reliable.first_table(summary, CUT)
    heads = [column.head for column in table.columns]
    rows = {row[heads.index("Measure")]: dict(zip(heads, row, strict=True)) for row in table.body}
    assert rows["grounded"]["First"] == "grounded"
    assert rows["grounded"]["Earlier by, levels"] == "2.0 [1.0, 3.0]"
    assert rows["consistency"]["First"] == "skill"  # ahead by 3, whatever the sign
    assert rows["consistency"]["Earlier by, levels"] == "3.0 [2.0, 4.0]"
    assert rows["completeness"]["First"] == text.DASH
    assert rows["completeness"]["Note"] == "neither is half gone"
    assert rows["abstention J"]["Earlier by, levels"] == "4.0 [3.0, 5.0]"
    (row,) = reliable.domain_table(summary, CUT).body
    assert "medical" in row
    assert "2.0 [1.0, 3.0]" in row


def test_rates_stand_beside_what_guessing_gets(summary: dict[str, Any]) -> None:
    table = reliable.rate_table(summary, CUT)
    heads = [column.head for column in table.columns]
    found = {(row[heads.index("Rate")], row[heads.index("Guessing")]) for row in table.body}
    given = {"consistency": 0.25, "grounding": 0.75, "grounded": 0.19}
    assert found == {(name, text.percent(guess)) for name, guess in given.items()}
    body = reliable.abstention_table(summary, CUT).body
    assert len(body) == len(summary["abstention"][0]["levels"])


def test_the_page_has_the_panel_and_says_what_would_fill_it(summary: dict[str, Any]) -> None:
    html = page.render(summary)
    assert "Utility or reliability: which breaks first" in html
    assert "Earlier by, levels" in html
    assert "Medical against general tasks" in html
    bare = {**summary, "reliability": [], "reliability_first": [], "abstention": [], "domains": []}
    assert "--variants permuted,swapped,unsure" in page.render(bare)
