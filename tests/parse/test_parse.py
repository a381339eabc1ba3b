"""Texts to answers: golden cases, and what must hold for any text."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resect.parse import Parsed, parse, same_option
from resect.record import OUTCOMES

GOLDEN = Path(__file__).parents[1] / "golden" / "parse.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
YES_NO = ("yes", "no", "maybe")
LABEL_SETS = [YES_NO, tuple("ABCD"), tuple("ABCDEFGHIJ"), ("Supports", "Refutes"), ("1", "2", "10")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"])[:40])
def test_golden(case):
    parsed = parse(case["text"], case["labels"], case.get("options"), case.get("question"))
    assert (parsed.answer, parsed.outcome) == (case["answer"], case["outcome"])


@given(
    st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda b: b.decode("latin-1"))),
    st.one_of(st.sampled_from(LABEL_SETS), st.lists(st.text(max_size=6), max_size=5)),
    st.text(max_size=60),
)
def test_any_text_gives_one_valid_result(text, labels, question):
    for options in (None, dict.fromkeys(labels, question)):
        parsed = parse(text, labels, options, question)
        assert isinstance(parsed, Parsed)
        assert parsed.answer is None or parsed.answer in labels
        assert parsed.outcome in OUTCOMES


@given(st.sampled_from("ABCD"), st.sampled_from([".", ".\n", "\n", ".\n\n"]), st.text("xyz \n"))
def test_a_leading_label_wins_whatever_follows(label, end, rest):
    assert parse(f"{label}{end} {rest}", "ABCD").answer == label
    assert parse(f"{label.lower()}{end} {rest}", "ABCD").answer == label


@given(st.sampled_from(YES_NO), st.sampled_from([". ", "\n", ".\n\n"]), st.text("wxz \n"))
def test_a_leading_word_wins_whatever_follows(label, end, rest):
    assert parse(f"{label}{end}{rest}", YES_NO).answer == label


MARKS = [
    "{}",
    "({})",
    "[{}]",
    "“{}”",
    "«{}»",
    "「{}」",
    "**{}**",
    "_{}_",
    "`{}`",
    "<b>{}</b>",
    "${}$",
]
MARKS += [
    "\\boxed{{{}}}",
    "Answer: {}",
    "The answer is {}.",
    "- {}",
    "\ufeff{}\u200b",
    "{}\n\nwxyz",
]


@given(st.sampled_from(MARKS), st.sampled_from([(lb, s) for s in LABEL_SETS for lb in s]))
def test_marks_around_a_label_change_nothing(mark, labelled):
    label, labels = labelled
    assert parse(mark.format(label), labels).answer == label


@given(st.permutations(["liver", "left kidney", "-1", "1", "Aa", "aa", "12 hours", "肾脏"]))
def test_options_may_differ_by_sign_case_or_script(order):
    options = dict(zip("ABCDEFGH", order, strict=True))
    assert all(parse(text, "ABCDEFGH", options).answer == lb for lb, text in options.items())


@given(st.permutations(["liver", "left kidney", "kidney", "spleen"]))
def test_option_text_follows_its_option(order):
    options = dict(zip("ABCD", order, strict=True))
    for label, text in options.items():
        assert parse(f" the {text}", "ABCD", options).answer == label
    assert parse("C. whatever", "ABCD", options).answer == "C"
    assert parse("The answer is C", "ABCD", options).answer == "C"


@given(st.sampled_from(["not", "none", "know", "nothing", "yesterday", "noon"]), st.text("xyz "))
def test_no_label_inside_a_word(word, rest):
    assert parse(f"{word} {rest}", YES_NO).answer is None


FOLDING = ["ı", "İ", "ſ", "\u212a", "ß", "ẞ", "ﬁ", "Σ", "ς", "i", "j", "k", "ss", "ǰ"]


@given(
    st.lists(st.sampled_from(FOLDING), min_size=1, max_size=4).map("".join),
    st.lists(st.sampled_from(FOLDING), min_size=1, max_size=4),
    st.sampled_from(["", ".", "\n", " is correct", " and ", "/"]),
)
def test_labels_that_fold_to_one_another(text, labels, end):
    for said in (text + end, f"The answer is {text}{end}", (text + end) * 3):
        found = parse(said, labels, dict.fromkeys(labels, text), text)
        assert found.answer is None or found.answer in labels


def test_of_equal_option_texts_either_is_right():
    options = {"A": "liver", "B": "kidney", "C": "kidney"}
    found = parse("kidney", "ABC", options).answer
    assert found == "B"
    assert same_option(found, "C", options)
    assert not same_option(found, "A", options)
    assert not same_option(None, None, options)


UNITS = [" ", "a ", "(", "no ", "yes/", "\n", "\u0301\u0323", "A. ", "1/", "the answer is ", "i "]
UNITS += ["“", "</b>", "-1", "no x ", "x is ", "does it ", "_B_", "B liver ", "1 2 hours "]
UNITS += ["answer ", ".", "kidney ", "\ufdfa", "option ", "1,000,", "\\", "x-", "A\n", "is not "]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_a_text_four_times_as_long_takes_about_four_times_as_long(unit):
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    for labels, options in ((YES_NO, None), ("ABCD", dict.fromkeys("ABCD", "kidney"))):
        quarter, whole = (
            seconds(text[:size], labels, options, text[:size]) for size in (250_000, 1_000_000)
        )
        assert whole < 8 * quarter + 0.05  # in the square of the length it would be 16 times


def seconds(*given: Any) -> float:
    """That parsing takes of the processor, the least of two: the machine may do other things."""
    taken = []
    for _ in range(2):
        begin = time.process_time()
        parse(*given)
        taken.append(time.process_time() - begin)
    return min(taken)


def test_tags_and_words_that_never_repeat_take_no_longer():
    words = ["".join(word) for word in itertools.product("abcdefg", repeat=5)]
    for form in ("{}s ", "</{}>"):
        quarter, whole = (
            seconds("".join(map(form.format, few)), YES_NO, None, f"does {'x '.join(few)}x?")
            for few in (words[: len(words) // 4], words)
        )
        assert whole < 8 * quarter + 0.05


OPTIONS = {"A": "Kidney", "B": "Liver failure", "C": "Heart", "D": "Lung"}


@pytest.mark.parametrize(
    ("text", "answer", "outcome"),
    [
        ("A. Kidney\nB. Liver failure\nC. Heart", None, "echo"),
        ("A) Kidney B) Liver fail", None, "echo"),  # cut short
        ("A. Kidney", "A", "answer"),
        ("A. Kidney\nB", "A", "answer"),
        ("A. Kidney\nBecause the liver", "A", "answer"),
        ("C. Heart\nD. Lung", "C", "answer"),  # it began at what it chose
    ],
)
def test_a_copy_of_the_options_is_no_answer(text, answer, outcome):
    assert parse(text, "ABCD", OPTIONS, "Which organ?")[:2] == (answer, outcome)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It is not clear", "maybe"),
        ("This is not known.", "maybe"),
        ("This has not yet been established", "maybe"),
        ("There is not enough evidence", "maybe"),
        ("It is not possible to say", "maybe"),
        ("Mortality was not clearly reduced", "no"),
        ("It is not effective", "no"),
        ("Aspirin does not reduce mortality", "no"),
    ],
)
def test_what_is_not_known_is_not_denied(text, answer):
    asked = "Does aspirin reduce mortality?"
    assert parse(text, ("yes", "no", "maybe"), question=asked).answer == answer
    without = None if answer == "maybe" else answer
    assert parse(text, ("yes", "no"), question=asked).answer == without


def test_a_doubt_that_is_asked_about_can_be_denied():
    asked = "Is the mechanism of aspirin known?"
    assert parse("The mechanism is not known", ("yes", "no"), question=asked).answer == "no"
