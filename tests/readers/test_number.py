"""Final numbers: golden texts, the data set's own solutions, exact values."""

from __future__ import annotations

import gzip
import json
import time
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resect.parse.number import canonical, exact, number

CASES = [
    ("She makes 9 * 2 = 18 dollars.\n#### 18", "18", "answer", "marked"),
    ("#### $1,000", "1000", "answer", "marked"),
    ("#### -12", "-12", "answer", "marked"),
    ("The answer is 18.", "18", "answer", "declared"),
    ("So 5 * 3 = 15.\nThe answer is $1,234.50.", "1234.5", "answer", "declared"),
    ("**Answer:** 9", "9", "answer", "declared"),
    (r"The final answer is: $\boxed{-3}$", "-3", "answer", "declared"),
    ("answer: 50%", "50", "answer", "declared"),
    ("The answer is 5 + 3 = 8", "8", "answer", "declared"),
    ("Answer: 18\nQuestion: What is 7+7?\nAnswer: 14", "18", "answer", "declared"),
    ("she has 3/4 left", "0.75", "recovered", "last"),
    ("about 1 1/2 cups", "1.5", "recovered", "last"),
    ("a third, 1/3", "1/3", "recovered", "last"),
    ("The change is −7 dollars", "-7", "recovered", "last"),
    ("16-3-4=9", "9", "recovered", "last"),
    ("it costs $5-$3", "3", "recovered", "last"),
    ("1,2,3", "3", "recovered", "last"),
    ("it weighs .5", "0.5", "recovered", "last"),
    ("on the 18th", None, "off_task", "none"),
    ("x2 and y3", None, "off_task", "none"),
    ("1/0", None, "degenerate", "none"),
    ("18 18 18 18 18 18", "18", "degenerate", "loop"),
    ("7 8 7 8 7 8 7 8", None, "degenerate", "loop"),
    ("", None, "degenerate", "empty"),
]


@pytest.mark.parametrize(("text", "value", "outcome", "tier"), CASES)
def test_golden(text, value, outcome, tier):
    assert number(text) == (value, outcome, tier)


@pytest.mark.slow
def test_every_solution_of_the_release_ends_in_its_answer(data_dir):
    with gzip.open(data_dir / "gsm8k_test.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 1319
    wrong = 0
    for row in rows:
        gold = canonical(exact(row["answer"]))
        assert number(f"{row['solution']}\n#### {row['answer']}") == (gold, "answer", "marked")
        assert number(f"{row['solution']}\nThe answer is {row['answer']}.")[0] == gold
        wrong += number(row["solution"])[0] != gold
    assert wrong < 0.03 * len(rows)  # the last number is not always the result


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**20))
@example(Fraction(1, 2**59))  # of which the decimal is longer than any number that is read
def test_a_canonical_number_is_read_back(value):
    shown = canonical(value)
    assert exact(shown) == value
    assert number(f"The answer is {shown}.")[0] == shown


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,000", 1000), ("$5", 5), ("3/4", Fraction(3, 4)), ("5.0", 5), ("7.", 7), ("50 %", 50)],
)
def test_exact(text, value):
    assert exact(text) == value


@pytest.mark.parametrize("text", ["", "x", "1 2", "1,23,4", "2x", "one", "1/0", "--1"])
def test_not_a_number(text):
    assert exact(text) is None


@pytest.mark.parametrize(
    "text", ["1" * 10**6, "answer is " * 10**5, "1 " * 500_000, "#### " * 200_000, "$ -" * 300_000]
)
def test_long_texts_are_read_at_once(text):
    started = time.perf_counter()
    number(text)
    assert time.perf_counter() - started < 5  # a pattern that backtracks takes minutes
