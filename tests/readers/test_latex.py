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
from lazy import WHEN_RUN

from resect.parse.latex import expression, same

if WHEN_RUN:
    from lm_eval.tasks.hendrycks_math.utils import is_equiv


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


EQUAL = [
    ("x+1", "1+x"), (r"2\sqrt2", r"\sqrt8"), (r"\sqrt2/2", r"1/\sqrt2"), (r"3\pi/4", r"(3/4)\pi"),
    (r"50\%", "0.5"), (r"\{1,2,3\}", r"\{3,2,1\}"), ("10^3", "1000"), ("2^{10}", "1024"),
    ("x/2+3", "3+x/2"), ("p-q", "-q+p"), (r"\binom52", "10"), ("11_2", "11_{2}"),
    ("6-5i", "-5i+6"), ("0.25", r"\frac14"), ("1,000", "1000"), (r"\text{Evelyn}", "Evelyn"),
    ("(C)", r"\text{(C)}"), (r"1\frac12", "1.5"), (r"\frac{2}{4}", "1/2"),
    (r"-\frac{1}{2}", r"\frac{-1}{2}"), ("x=5", "5"), (r"\dfrac34", r"\frac{3}{4}"),
    (r"\left(3, \frac{\pi}{2}\right)", r"(3,\pi/2)"), (r"90^\circ", "90"), ("5.0", "5"),
]  # fmt: skip
OTHER = [
    ("x", "y"), ("12", "13"), (r"\frac12", r"\frac13"), (None, None), ("", None), ("52_81", "52_8"),
    ("11_2", "11_3"), ("(1,2)", "(2,1)"), ("Evelyn", "Evelina"), (r"\sqrt{2}", "1.41"),
    ("9^{9^{9}}", "8^{8^{8}}"), ("10^{99999999}", "10^{99999998}"), ("99999!", "99998!"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_in_value(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_not_the_same(one, other):
    assert not same(one, other)


def test_what_the_paper_calls_equal_is_the_same(rows):
    gold = [row["answer"] for row in rows]
    written = [
        lambda x: x.replace(r"\frac", r"\dfrac"), lambda x: x.replace(" ", ""),
        lambda x: rf"\left{x[:-1]}\right{x[-1]}" if x[0] == "(" and x[-1] == ")" else x,
        lambda x: f"\\${x}",
    ]  # fmt: skip
    pairs = [(vary(x), x) for x in gold[::4] for vary in written]
    theirs = [pair for pair in pairs if is_equiv(*pair)]
    assert len(theirs) > 300
    assert [pair for pair in theirs if not same(*pair)] == []


@pytest.mark.slow
def test_different_answers_of_the_release_are_not_the_same(rows):
    gold = [row["answer"] for row in rows]
    pairs = random.Random(0).sample(list(itertools.combinations(gold, 2)), 500)
    assert [pair for pair in pairs if same(*pair) and not is_equiv(*pair)] == []


@given(st.text(alphabet=r"\{}$frac12 boxed,./=^text", max_size=60))
def test_any_text_is_read(text):
    found, _, _ = expression(text)
    assert same(found, found) == (found is not None)


@pytest.mark.parametrize("text", [r"\boxed{" * 10**5, "{" * 10**6, "$" * 10**6, "answer" * 10**5])
def test_long_texts_are_read_at_once(text):
    started = time.perf_counter()
    expression(text)
    assert time.perf_counter() - started < 5
