"""Skill, confusion metrics and Wilson against numbers worked out by hand or published."""

import numpy as np
import pytest
from answers_by_hand import macro_f1_of, skill_of, tally_of
from hypothesis import given, settings
from hypothesis import strategies as st

from resect.stats import skill as sk
from resect.stats.intervals import wilson

ABCD, YNM = ("A", "B", "C", "D"), ("yes", "no", "maybe")
gold_lists = st.lists(st.sampled_from(ABCD), min_size=1, max_size=40).map(lambda g: [*ABCD, *g])


def test_skill_by_hand():
    gold = ["yes", "yes", "yes", "yes", "no", "no", "maybe"]
    answers = ["yes", "yes", "no", None, "no", "yes", "no"]
    # yes: (1 + 1 - 1/2 + 0) / 4 = 3/8; no: (1 - 1/2) / 2 = 1/4; maybe: -1/2
    assert skill_of(gold, answers, YNM) == pytest.approx((3 / 8 + 1 / 4 - 1 / 2) / 3, abs=1e-12)


def test_skill_is_the_balanced_mean_of_credit():
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 4, 60).astype(np.int8)
    codes = rng.integers(-2, 4, (5, 60)).astype(np.int8)
    credit = sk.credit(codes, gold, 4)
    by_label = [np.nanmean(credit[:, gold == k], axis=1) for k in range(4)]
    counts = sk.tally(np.ones((1, 60), dtype=np.float32), codes, gold, 4)
    np.testing.assert_allclose(sk.skill(counts)[0], np.mean(by_label, axis=0), atol=1e-12)


def test_labels_without_items_do_not_count_for_skill():
    assert skill_of(["yes", "no"], ["yes", None], YNM) == 0.5


def test_weights_equal_repeating_the_items():
    gold, answers = ["yes", "no", "maybe", "no"], ["yes", "yes", None, "no"]
    times = [3, 1, 2, 2]
    weights = np.array([times], dtype=np.float32)
    codes, labels = sk.encode(answers, YNM)[None], sk.encode(gold, YNM)
    counts = sk.tally(weights, codes, labels, 3)
    long_gold = list(np.repeat(np.array(gold, dtype=object), times))
    long_answers = list(np.repeat(np.array(answers, dtype=object), times))
    assert sk.skill(counts)[0, 0] == pytest.approx(skill_of(long_gold, long_answers, YNM))
    f1 = sk.confusion(counts).macro()[2][0, 0]
    assert f1 == pytest.approx(macro_f1_of(long_gold, long_answers, YNM))


def test_macro_f1_by_hand_over_the_fixed_labels():
    gold, answers = ["A", "A", "B", "C"], ["A", None, "A", "C"]
    # A: 2·1/(2 + 2) = 1/2; B: 0/(0 + 1) = 0; C: 1; D: 0/0 = 0; no answer is no class
    assert macro_f1_of(gold, answers, ABCD) == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    found = sk.confusion(tally_of(gold, answers, ABCD))
    assert found.precision[:, 0, 0].tolist() == [0.5, 0, 1, 0]
    assert found.recall[:, 0, 0].tolist() == [0.5, 0, 1, 0]


@given(gold_lists)
@settings(max_examples=50, deadline=None)
def test_silence_has_no_skill(gold):
    assert skill_of(gold, [None] * len(gold), ABCD) == 0.0


@given(gold_lists, st.sampled_from(ABCD))
@settings(max_examples=50, deadline=None)
def test_a_constant_answer_has_exactly_no_skill(gold, label):
    assert skill_of(gold, [label] * len(gold), ABCD) == 0.0


@given(
    st.lists(st.sampled_from("AB"), max_size=20).map(lambda g: ["A", "B", *g]),
    st.sampled_from([*ABCD, None]),
)
@settings(max_examples=50, deadline=None)
def test_a_constant_answer_has_no_skill_where_labels_have_no_items(gold, said):
    assert skill_of(gold, [said] * len(gold), ABCD) == 0.0


def test_skill_where_a_label_has_no_items_by_hand():
    gold, answers = ["A", "A", "B", "B"], ["A", "B", "D", None]
    # two labels: a wrong A or B counts -1, a D (no item has it) and silence 0
    assert skill_of(gold, answers, ABCD) == pytest.approx(((1 - 1) / 2 + 0) / 2)
    assert skill_of(gold, ["A", "A", "A", "B"], ABCD) == pytest.approx((1 + 0) / 2)


def test_a_label_that_only_a_resample_lacks_counts_nothing_there():
    gold, codes = sk.encode(["yes", "yes", "no", "maybe"], YNM), np.array([[0, 0, 0, 0]], np.int8)
    weights = np.array([[1, 1, 1, 1], [2, 1, 1, 0], [0, 0, 2, 2]], dtype=np.float32)
    found = sk.skill(sk.tally(weights, codes, gold, 3))[:, 0]
    assert found == pytest.approx([0, (1 - 1 / 2) / 3, (-1 / 2 - 1 / 2) / 3])


def test_one_gold_label_has_no_skill():
    assert np.isnan(skill_of(["yes"] * 5, ["yes"] * 5, YNM))


def test_guessing_over_all_labels_has_no_skill_where_some_have_no_items():
    rng = np.random.default_rng(3)
    gold = (np.arange(200) % 2).astype(np.int8)
    codes = rng.integers(0, 4, (4000, 200)).astype(np.int8)
    found = sk.skill(sk.tally(np.ones((1, 200), dtype=np.float32), codes, gold, 4))[0]
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))


@given(gold_lists)
@settings(max_examples=20, deadline=None)
def test_a_perfect_model_has_skill_one(gold):
    assert skill_of(gold, gold, ABCD) == 1.0


def test_guessing_has_no_skill_in_expectation():
    rng = np.random.default_rng(0)
    gold = rng.choice(4, size=200, p=[0.6, 0.2, 0.15, 0.05]).astype(np.int8)
    codes = rng.integers(0, 4, (4000, 200)).astype(np.int8)
    found = sk.skill(sk.tally(np.ones((1, 200), dtype=np.float32), codes, gold, 4))[0]
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_the_published_intervals(right, n, low, high):
    found = wilson(right, n)
    assert found.value == right / n
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_is_nothing():
    assert wilson(0, 0) == (None, None, None)
