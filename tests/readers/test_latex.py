"""Final expressions, and sameness against lm-evaluation-harness's transcription of `is_equiv`."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.tasks.hendrycks_math.utils import is_equiv

from resect.parse.latex import expression, same


@pytest.fixture(scope="module")
def rows(data_dir):
    with gzip.open(data_dir / "math500.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


CASES = [
    (r"we get \boxed{3}, hence \boxed{\frac{1}{2}}.", r"\frac{1}{2}", "answer", "boxed"),
    (r"\boxed 5.", "5", "answer", "boxed"),
    ("Final Answer: The final answer is $x^2+1$. I hope it is correct.", "x^2+1", "answer",
     "declared"),
    ("The answer is 5.", "5", "answer", "declared"),
    ("so $x=3$ and $y=4$.", "y=4", "recovered", "last"),
    (r"\boxed{3}" "\nProblem: next\n" r"\boxed{4}", "3", "answer", "boxed"),
    (r"\boxed{", None, "degenerate", "none"),
    ("blah blah blah blah", None, "degenerate", "loop"),
    ("", None, "degenerate", "empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "outcome", "tier"), CASES)
def test_golden(text, value, outcome, tier):
    assert expression(text) == (value, outcome, tier)


def test_every_solution_of_the_release_ends_in_its_answer(rows):
    assert len(rows) == 500
    for row in rows:
        found, outcome, tier = expression(row["solution"])
        assert same(found, row["answer"])
        assert (outcome, tier) == ("answer", "boxed")


VARIED = [
    lambda x: x.replace(r"\frac", r"\dfrac"), lambda x: x.replace(" ", ""),
    lambda x: rf"\left{x}\right" if x[0] == "(" else x, lambda x: f"x={x}",
    lambda x: x.replace("{", "{ "), lambda x: f"{x}\\%", lambda x: f"\\${x}",
    lambda x: rf"{x}\text{{ cm}}", lambda x: f"{x}^\\circ", lambda x: f"{x}1",
]  # fmt: skip


def test_what_the_paper_calls_equal_is_the_same(rows):
    gold = [row["answer"] for row in rows]
    rng = random.Random(0)
    pairs = [*rng.sample(list(itertools.combinations(gold, 2)), 20_000),
             *((x, vary(x)) for x in gold if "mbox" not in x for vary in VARIED)]  # fmt: skip
    theirs = [pair for pair in pairs if is_equiv(*pair)]
    assert len(theirs) > 2000
    assert [pair for pair in theirs if not same(*pair)] == []
    ours = [pair for pair in pairs if same(*pair) and not is_equiv(*pair)]
    assert len(ours) < 0.02 * len(theirs) + 100


@pytest.mark.parametrize(
    ("one", "other"),
    [("0.25", r"\frac14"), ("1,000", "1000"), (r"\text{Evelyn}", "Evelyn"), ("(C)", r"\text{(C)}"),
     (r"1\frac12", "1.5"), (r"\frac{2}{4}", "1/2"), (r"-\frac{1}{2}", r"\frac{-1}{2}")],
)  # fmt: skip
def test_the_same_beyond_the_paper(one, other):
    assert same(one, other)
    assert not is_equiv(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("x", "y"), ("12", "13"), (r"\frac12", r"\frac13"), (None, None), ("", None)]
)
def test_not_the_same(one, other):
    assert not same(one, other)


@given(st.text(alphabet=r"\{}$frac12 boxed,./=^text", max_size=60))
def test_any_text_is_read(text):
    found, _, _ = expression(text)
    assert same(found, found) == (found is not None)


@pytest.mark.parametrize("text", [r"\boxed{" * 10**5, "{" * 10**6, "$" * 10**6, "answer" * 10**5])
def test_long_texts_are_read_at_once(text):
    started = time.perf_counter()
    expression(text)
    assert time.perf_counter() - started < 5
