"""Texts to answers: golden cases, and what must hold for any text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resect.parse import Parsed, parse
from resect.record import OUTCOMES

GOLDEN = Path(__file__).parent / "golden" / "parse.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"])[:40])
def test_golden(case):
    parsed = parse(case["text"], case["labels"], case.get("options"))
    assert (parsed.answer, parsed.outcome) == (case["answer"], case["outcome"])


@given(st.text(max_size=200), st.sampled_from([("yes", "no", "maybe"), tuple("ABCD")]))
def test_any_text_gives_one_valid_result(text, labels):
    parsed = parse(text, labels, dict.fromkeys(labels, "some text"))
    assert isinstance(parsed, Parsed)
    assert parsed.answer is None or parsed.answer in labels
    assert parsed.outcome in OUTCOMES


@given(st.sampled_from("ABCD"), st.sampled_from(".\n"), st.text("xyz \n", max_size=40))
def test_a_leading_label_wins_whatever_follows(label, end, rest):
    assert parse(f"{label}{end} {rest}", "ABCD").answer == label


@given(st.permutations(["liver", "left kidney", "kidney", "spleen"]))
def test_option_text_follows_its_option(order):
    options = dict(zip("ABCD", order, strict=True))
    for label, text in options.items():
        assert parse(f" the {text}", "ABCD", options).answer == label
    assert parse("C. whatever", "ABCD", options).answer == "C"
