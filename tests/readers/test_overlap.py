"""Overlap, omission and copying: parity with the ROUGE package, and by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lazy import WHEN_RUN

from resect.parse.overlap import answer, common, content, parts, rouge_l, token_f1, words

if WHEN_RUN:
    from rouge_score.rouge_scorer import RougeScorer


def test_rouge_l_equals_the_package():
    rng, scorer = random.Random(0), RougeScorer(["rougeL"])
    vocabulary = [f"w{i}" for i in range(15)]
    for _ in range(300):
        a, b = (rng.choices(vocabulary, k=rng.randint(0, 70)) for _ in range(2))
        theirs = scorer.score(" ".join(b), " ".join(a))["rougeL"].fmeasure
        assert rouge_l(a, b) == pytest.approx(theirs, abs=1e-12)
    text, other = "Fever, and (mild) ANAEMIA: 3.5 mg!", "Mild anaemia with fever; 3.5mg"
    theirs = scorer.score(other, text)["rougeL"].fmeasure
    assert rouge_l(words(text), words(other)) == pytest.approx(theirs, abs=1e-12)


@given(*[st.lists(st.sampled_from("abcd"), max_size=12)] * 2)
def test_the_longest_common_subsequence(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            both = table[i][j] + 1 if x == y else 0
            table[i + 1][j + 1] = max(both, table[i][j + 1], table[i + 1][j])
    assert common(a, b) == table[len(a)][len(b)]


def test_token_f1_by_hand():
    assert token_f1(words("the heart attack"), words("a heart attack, heart")) == pytest.approx(0.8)
    assert token_f1(words("the"), words("the")) == 0  # articles say nothing


def test_parts_by_hand():
    context = "statins lower the risk of stroke in adults with high cholesterol"
    said = "Statins lower the risk of stroke. Statins lower the risk too."
    reference = "Statins reduce stroke risk in 25 adults."
    found = parts(said, reference, context)
    assert found["words"], found["reference_words"] == (11, 7)
    assert found["ngrams"] == 8
    # statins-lower-the-risk twice, lower-the-risk-of, the-risk-of-stroke
    assert (found["copied"], found["repeated"]) == (4, 1)
    assert content(words(reference)) == {"statins", "reduce", "stroke", "risk", "25", "adults"}
    assert found["omission"] == pytest.approx(3 / 6)  # reduce, 25, adults
    assert "copied" not in parts(said, reference, "")


def test_silence_omits_all_and_copies_nothing():
    found = parts(None, "Statins reduce stroke risk.", "statins reduce stroke risk")
    assert (found["rouge_l"], found["omission"], found["ngrams"]) == (0.0, 1.0, 0)


@pytest.mark.parametrize(
    ("text", "outcome", "answered"),
    [("Fever is a common sign of leukemia.", "answer", True), ("", "degenerate", False),
     ("the the the the the the the", "degenerate", False), ("###", "degenerate", False),
     ("As an AI language model I cannot give medical advice.", "refusal", False)],
)  # fmt: skip
def test_what_answers(text, outcome, answered):
    value, found, _ = answer(text)
    assert (value is not None, found) == (answered, outcome)


def test_a_question_of_its_own_is_not_read():
    assert answer("Fever is a sign.\nQuestion: what else is a sign?")[0] == "Fever is a sign."
