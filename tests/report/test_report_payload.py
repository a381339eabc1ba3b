"""The page's script unpacks what the page embeds: the whole summary, and every other figure."""

from __future__ import annotations

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
from resect.report.page import render as page
from resect.report.page.payload import compact

NODE = shutil.which("node")
RUN = """
const payload = require(process.argv[1]);
let input = "";
process.stdin.on("data", (part) => { input += part; });
process.stdin.on("end", async () => console.log(JSON.stringify(await payload.unpack(input))));
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
    html = page.render(fixture.load(data))
    payload = re.search(r'id="payload">(.*?)</script>', html)
    assert payload
    path = str(files("resect.report.page").joinpath("unpack.js"))
    done = subprocess.run(
        [NODE, "-e", RUN, path], input=payload[1], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout) | {"html": html}


def test_the_script_has_every_figure(data: dict[str, Any], script: dict[str, Any]) -> None:
    """With those that the page opens with, each figure of the run, as drawn and as numbers."""
    every = list(figures.all_figures(fixture.scope(data)))
    packed = {figure["place"]: figure for figure in script["figures"]}
    opening = set(map(int, re.findall(r'data-place="(\d+)"', script["html"])))
    assert set(packed) | opening == set(range(len(every)))
    assert not set(packed) & opening
    assert len(packed) > 40
    for place, figure in packed.items():
        assert figures.draw(every[place]) in figure["html"]
        keys = every[place]
        assert (figure["kind"], figure["task"], figure["recipe"], figure["metric"]) == keys[:4]
        for row in figures.table(keys).body:
            assert all(cell in unescape(figure["html"]) for cell in row)


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


def test_the_page_is_the_same_every_time(data: dict[str, Any]) -> None:
    summary = fixture.load(data)
    assert page.render(summary) == page.render(summary)
