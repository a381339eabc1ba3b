"""The catalogue crossed with the report: what has an entry has its figure, switch and words."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import findings_fixture as findings
import pytest
import report_fixture as fixture

from resect import catalog
from resect.findings.rows import Bias, GuardrailKind, Reliability, Trust
from resect.report import figures
from resect.report.data import metrics, verdict_tables
from resect.report.data.scope import Scope
from resect.report.page import render as page

ESTIMATE = {"value": 0.4, "low": 0.3, "high": 0.5}


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """A summary in which every metric of a curve has a value, and one task has open answers."""
    data = findings.summary((0.0, 0.3, 0.5))
    for row in data["curves"]:
        names = [key for key, q in catalog.QUANTITIES.items() if q.group in ("curve", "answer")]
        row["metrics"] = {key: dict(ESTIMATE) for key in [*names, "of_a_third_party"]}
    data["tasks"][2] |= {"kind": "text", "primary": "rouge_l"}
    for row in data["trust"]:
        row["auroc"] = row["risk_coverage"] = dict(ESTIMATE)
        row["calibration_error"] = dict(ESTIMATE) | {"counted": 0.4, "by_chance": 0.0}
    return data


@pytest.fixture(scope="module")
def scope(data: dict[str, Any]) -> Scope:
    return fixture.scope(data)


@pytest.fixture(scope="module")
def drawn(scope: Scope) -> dict[str, set[str]]:
    """The metrics that have a figure, by the kind of figure."""
    kinds: dict[str, set[str]] = {}
    for figure in figures.all_figures(scope):
        kinds.setdefault(figure.kind, set()).add(figure.metric)
    return kinds


@pytest.mark.parametrize(
    ("kind", "group"),
    [("curves", "curve"), ("open", "answer"), ("bias", "bias"), ("trust", "trust")],
)
def test_every_metric_has_its_figure(
    drawn: dict[str, set[str]], kind: str, group: catalog.Group
) -> None:
    wanted = set(metrics.drawn(group))
    assert wanted - drawn[kind] == set()
    assert drawn[kind] - wanted <= {"of_a_third_party"}


def test_a_third_partys_metric_has_a_figure_by_its_key(drawn: dict[str, set[str]]) -> None:
    assert "of_a_third_party" in drawn["curves"]


def test_the_page_offers_and_explains_each(scope: Scope, drawn: dict[str, set[str]]) -> None:
    html = page.render(scope.summary)
    for kind in ("curves", "open", "bias", "trust"):
        switch = "metric" if kind == "curves" else kind
        for key in drawn[kind]:
            assert f'name="{switch}" value="{key}"' in html, key
            assert f'data-group="{switch}" data-metric="{key}"' in html, key
    assert "of a third party" in html


def test_every_metric_is_in_a_figure_or_in_tables_alone() -> None:
    """No exception of the report names a metric that the catalogue has not."""
    assert set(catalog.QUANTITIES) >= metrics.TABLES_ONLY


def test_bias_trust_and_rates_of_the_rows_have_entries() -> None:
    """Each estimate of a row has its entry, of the row's group."""
    for row, group in ((Bias, "bias"), (Trust, "trust"), (Reliability, "reliability")):
        for field in fields(row):
            if re.match(r"(Estimate|Distance|Rate)\b", str(field.type)):
                assert catalog.QUANTITIES[field.name].group == group, field.name


@pytest.mark.parametrize("kind", GuardrailKind)
def test_every_guardrail_has_its_words(data: dict[str, Any], kind: str) -> None:
    assert kind in catalog.GUARDRAILS
    row = data["verdicts"][0]
    guard = findings.guardrail(0.35, tripped=True) | {"kind": kind, "of": "x"}
    stop = {"task": "pubmedqa", "level": 0.35, "word": "failed", "guardrail": guard}
    scope = fixture.scope(data | {"verdicts": [row | {"stopped_by": stop, "guardrails": [guard]}]})
    (tile,) = verdict_tables.reach(scope, "magnitude")
    assert "pubmedqa" in tile.stop
    assert "cap 10" in tile.stop
    if kind != "subgroup":
        assert catalog.QUANTITIES[kind].fragment in tile.stop


def test_every_outcome_has_its_colour_on_the_page(scope: Scope) -> None:
    html = page.render(scope.summary)
    for name, outcome in catalog.OUTCOMES.items():
        assert f"--o-{name}:{outcome.colour};" in html
        assert f".o-{name}{{--own:var(--o-{name})}}" in html
