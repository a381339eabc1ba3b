"""Lists of mentions: golden texts, agreement by hand, properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resect.parse.spans import Agreement, agree, mentions

SENTENCE = (
    "Selegiline - induced postural hypotension in Parkinson ' s disease , a longitudinal study ."
)
HEADINGS = {"Chemicals": "Chemical", "Diseases": "Disease"}
GOLD = [("Chemical", "Selegiline"), ("Disease", "postural hypotension"),
        ("Disease", "Parkinson ' s disease")]  # fmt: skip
CASES = [
    (" selegiline\nDiseases: postural hypotension | Parkinson's disease", "answer", "listed",
     Agreement(3, 0, 3, 3, 0)),
    (" none\nDiseases: hypotension", "answer", "listed", Agreement(0, 1, 1, 3, 0)),
    (" None.\nDiseases: none", "answer", "none", Agreement(0, 0, 0, 3, 0)),
    (" Chemicals: selegiline\nDiseases: cancer\n\nSentence: x\nChemicals: y", "recovered", "whole",
     Agreement(1, 0, 2, 3, 1)),
    (" Selegiline, longitudinal study\nDiseases: none", "recovered", "split",
     Agreement(1, 0, 2, 3, 0)),
    ('["selegiline"]\nDiseases: ["postural hypotension", "cancer"]', "recovered", "json",
     Agreement(2, 0, 3, 3, 1)),
    ("- selegiline\n- aspirin\nDiseases:\n- postural hypotension", "recovered", "lines",
     Agreement(2, 0, 3, 3, 1)),
    (" selegiline", "recovered", "listed", Agreement(1, 0, 1, 3, 0)),
    (" selegiline | selegiline | selegiline", "degenerate", "loop", Agreement(1, 0, 1, 3, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "outcome", "tier", "counts"), CASES)
def test_golden(text, outcome, tier, counts):
    found, *how = mentions(text, HEADINGS, SENTENCE)
    assert how == [outcome, tier]
    assert agree(found, GOLD, SENTENCE) == counts


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("", "degenerate"), (" . . . .", "degenerate"), ("1 1 1 1 1 1 1 1", "degenerate"),
     ("The sentence mentions a drug that can lower the blood pressure of people", "off_task")],
)  # fmt: skip
def test_what_is_no_list(text, outcome):
    found, said, _ = mentions(text, HEADINGS, SENTENCE)
    assert (found, said) == (None, outcome)


def test_partial_matches_are_one_to_one():
    gold = [("D", "breast cancer"), ("D", "ovarian cancer"), ("D", "colon cancer")]
    said = [("D", "cancer"), ("D", "breast and ovarian cancer")]
    assert agree(said, gold, "").partial == 2
    assert agree([("D", "cancer")], gold, "").partial == 1
    assert agree([("E", "cancer")], gold, "").partial == 0  # another type
    assert agree([("D", "the of")], [("D", "of the heart")], "").partial == 0  # no word of meaning


@given(st.lists(st.tuples(st.sampled_from("DE"), st.sampled_from(["a b", "b c", "c", "x y", "q"]))))
def test_counts_hold_together(said):
    gold = [("D", "a b"), ("D", "c d"), ("E", "x")]
    found = agree(said, gold, "a b c d x")
    assert found.correct + found.partial <= min(found.said, found.wanted)
    assert found.invented <= found.said == len(set(said))
    assert agree(gold, gold, "a b c d x")[:2] == (3, 0)


@given(st.text(max_size=120))
def test_any_text_is_read(text):
    found, outcome, _ = mentions(text, HEADINGS, SENTENCE)
    assert (found is None) <= (outcome in ("degenerate", "off_task", "echo"))
