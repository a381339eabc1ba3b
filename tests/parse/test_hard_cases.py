"""Hard cases: the published ones, and our own variants of each kind of difficulty.

`golden/parse_variants.jsonl` was labelled before anything read it, in two parts: `first` before
the rules of version 6 were written, `fresh` once those were fixed. What a version reads at the
first look stands in docs/log.md; since then both parts are regression tests. One label of `fresh`
was changed afterwards ("None." where an option is "None of the above").
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from resect.parse import parse

GOLDEN = Path(__file__).parents[1] / "golden"
CONTEXTS = json.loads((GOLDEN / "parse_contexts.json").read_text(encoding="utf-8"))
ROWS = list(
    map(json.loads, (GOLDEN / "parse_variants.jsonl").read_text(encoding="utf-8").splitlines())
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}: {row['text']!r:.40}")
def test_variant(row):
    parsed = parse(row["text"], **CONTEXTS[row["context"]])
    assert parsed.answer == row["answer"]
    assert row.get("outcome") in (None, parsed.outcome)


def test_every_kind_has_a_dozen_variants():
    counts = Counter((row["part"], row["kind"]) for row in ROWS if row["part"] != "last")
    assert len(counts) == 30
    assert min(counts.values()) >= 12


def test_published_hard_cases(data_dir):
    lines = (data_dir / "parse_hard.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = []
    for case in map(json.loads, lines):
        parsed = parse(case["text"], case["labels"], case["options"], case["question"])
        if parsed.answer != case["answer"] or case["outcome"] not in (None, parsed.outcome):
            wrong.append((case["text"], case["answer"], parsed))
    assert len(lines) == 77
    assert wrong == []
