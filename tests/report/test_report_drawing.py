"""The page's script draws and tabulates what Python does, from the data that the page embeds."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
from html import unescape
from importlib.resources import files
from typing import Any

import findings_fixture as findings
import pytest
import report_fixture as fixture

from resect.findings.summary_file import to_data
from resect.report import figures
from resect.report.charts.chart_data import BarChart, LineChart
from resect.report.page.payload import compact, packed

NODE = shutil.which("node")
NUMBER = re.compile(r"-?\d+\.?\d*")
RUN = """
const draw = require(process.argv[1]);
let input = "";
process.stdin.on("data", (part) => { input += part; });
process.stdin.on("end", async () => {
  const { summary, figures } = await draw.unpack(input);
  const drawn = figures.filter((figure) => figure.chart)
    .map((figure) => [draw.figure(figure.chart), draw.table(figure.chart)]);
  console.log(JSON.stringify({ summary: summary, drawn: drawn }));
});
"""


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    data = findings.summary((0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.95))
    for row in data["curves"]:
        if row["level"] == 0.35:
            row["status"], row["reason"] = "degraded", "cut"
        if row["level"] == 0.65 and row["view"] == "text":
            row["accuracy"], row["metrics"] = None, {}
    return data


@pytest.fixture(scope="module")
def script(data: dict[str, Any]) -> dict[str, Any]:
    """What the script makes of the payload."""
    if NODE is None:
        pytest.skip("node is not installed")
    summary = fixture.load(data)
    payload = packed(summary, list(figures.all_figures(fixture.scope(data))))
    path = str(files("resect.report.page").joinpath("draw.js"))
    done = subprocess.run(
        [NODE, "-e", RUN, path], input=payload, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_script_draws_what_python_draws(data: dict[str, Any], script: dict[str, Any]) -> None:
    """The same elements in the same order; coordinates within a rounding."""
    charts = [f for f in figures.all_figures(fixture.scope(data))
              if isinstance(f.chart, LineChart | BarChart)]  # fmt: skip
    assert len(charts) == len(script["drawn"]) > 50
    for figure, (drawn, _) in zip(charts, script["drawn"], strict=True):
        ours = figures.draw(figure)
        assert _shape(drawn) == _shape(ours), figure[:4]
        pairs = zip(NUMBER.findall(drawn), NUMBER.findall(ours), strict=True)
        assert max(abs(float(a) - float(b)) for a, b in pairs) <= 0.11, figure[:4]


def _shape(drawing: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The elements with their attributes in order of their names, without numbers."""
    parts = re.findall(r"<(/?\w+)([^>]*)>([^<]*)", unescape(drawing.replace("&lt;", "‹")))
    return [
        (name + "|" + NUMBER.sub("0", words),
         sorted((k, NUMBER.sub("0", v)) for k, v in re.findall(r'([\w-]+)="([^"]*)"', attributes)))
        for name, attributes, words in parts
    ]  # fmt: skip


def test_the_script_has_the_same_tables(data: dict[str, Any], script: dict[str, Any]) -> None:
    charts = [f for f in figures.all_figures(fixture.scope(data))
              if isinstance(f.chart, LineChart | BarChart)]  # fmt: skip
    for figure, (_, table) in zip(charts, script["drawn"], strict=True):
        ours = figures.table(figure)
        assert table["caption"] == ours.caption
        assert table["heads"] == [list(column) for column in ours.columns]
        for row, wanted in zip(table["body"], ours.body, strict=True):
            assert [NUMBER.sub("0", cell) for cell in row] == [
                NUMBER.sub("0", cell) for cell in wanted
            ]
            numbers = zip(NUMBER.findall(" ".join(row)), NUMBER.findall(" ".join(wanted)),
                          strict=True)  # fmt: skip
            assert all(abs(float(a) - float(b)) < 0.11 for a, b in numbers)


def test_the_script_has_the_summary(data: dict[str, Any], script: dict[str, Any]) -> None:
    """Every key and value of it, numbers to five digits."""
    assert script["summary"] == _rounded(to_data(fixture.load(data)))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def test_columns_hold_each_key_once() -> None:
    rows = [{"a": 1, "b": {"c": 0.1234567}}, {"a": None, "b": {"c": 2.0}}, {"a": 3, "d": "x"}]
    assert compact(rows) == {
        "#": 3,
        "columns": {
            "a": {"values": [1, None, 3]},
            "b": {"at": [0, 1], "values": {"#": 2, "columns": {"c": {"values": [0.12346, 2.0]}}}},
            "d": {"at": [2], "values": ["x"]},
        },
    }


def test_the_payload_is_the_same_every_time(data: dict[str, Any]) -> None:
    summary, every = fixture.load(data), list(figures.all_figures(fixture.scope(data)))
    payload = packed(summary, every)
    assert payload == packed(summary, every)
    assert json.loads(gzip.decompress(base64.b64decode(payload)))["summary"]
