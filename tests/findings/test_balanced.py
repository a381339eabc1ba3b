"""Balanced accuracy: by hand, beside skill, at its error rate, and before models that collapsed."""

import random

import numpy as np
import pytest
from answers_by_hand import cell, run
from hypothesis import given
from hypothesis import strategies as st
from lobotomy_logs import task
from null_models import CONTROLS, MODELS, Asked

from resect.findings.curves import Curve, Sampled
from resect.findings.evidence import evidence
from resect.findings.frame import Key, TaskFrame
from resect.findings.safety import safety
from resect.findings.smallest_version import smallest_safe
from resect.record import Item
from resect.stats import skill as sk
from resect.stats.balanced import balanced, beyond_guessing, pooled
from resect.stats.intervals import item_weights
from resect.stats.paired_change import PairedMeans

LABELS = ("yes", "no", "maybe")


def mean(found, level=0):
    return np.mean([found.scores[level, found.group == g].mean() for g in np.unique(found.group)])


def test_balanced_accuracy_by_hand():
    gold = np.repeat([0, 1], [8, 2]).astype(np.int8)
    codes = np.zeros((2, 10), dtype=np.int8)
    codes[0, 8], codes[0, 0] = 1, sk.NO_ANSWER
    found = balanced(codes, gold, codes != sk.MISSING, 0.05)
    assert mean(found) == pytest.approx((7.5 / 8 + 1 / 2) / 2)  # silence counts as a guess
    assert mean(found, 1) == found.guess == 0.5
    codes[1, 9] = sk.MISSING  # what a level lacks counts nothing, not a guess
    assert balanced(codes, gold, codes != sk.MISSING, 0.05).scores[1, 9] == 0


@pytest.mark.parametrize(
    ("counts", "least", "groups"),
    [
        ([50, 30], 40, [1, 0]),  # two are never pooled
        ([276, 169, 55], 40, [2, 1, 0]),
        ([110, 68, 22], 40, [1, 0, 0]),  # 22 and 68 make 90, the smaller of two
        ([25, 25, 25, 25], 40, [0, 0, 1, 1]),
        ([90, 0, 5, 5], 40, [1, 0, 0, 0]),  # 5 and 5 stay below 40, but only two are left
    ],
)
def test_rare_labels_are_pooled_until_two_are_left(counts, least, groups):
    assert pooled(np.array(counts), least).tolist() == groups


@given(st.integers(2, 5), st.randoms(use_true_random=False))
@pytest.mark.slow
def test_it_is_skill_on_the_scale_from_a_guess_to_all_right(k, rng):
    gold = np.repeat(np.arange(k), [rng.randint(40, 90) for _ in range(k)]).astype(np.int8)
    codes = np.array([[rng.randint(-1, k - 1) for _ in gold]], dtype=np.int8)
    found = balanced(codes, gold, codes >= -1, 0.05)
    weights = item_weights([str(i) for i in range(len(gold))], 20, 0, "t")
    skill = sk.skill(sk.tally(weights, codes, gold, k))[:, 0]
    assert found.guess == pytest.approx(1 / k)
    assert mean(found) == pytest.approx(1 / k + (1 - 1 / k) * skill[0])
    np.testing.assert_allclose(
        beyond_guessing(found, weights, np.ones(len(gold), bool)), skill, atol=1e-6
    )


@given(st.lists(st.integers(1, 200), min_size=2, max_size=8), st.integers(-1, 7))
def test_no_constant_answer_gets_more_than_a_guess(counts, said):
    gold = np.repeat(np.arange(len(counts)), counts).astype(np.int8)
    codes = np.full((1, len(gold)), said, dtype=np.int8)
    found = balanced(codes, gold, codes >= -1, 0.05)
    assert mean(found) <= found.guess + 1e-9 <= 0.5 + 1e-9


def test_the_change_of_a_mean_over_groups_by_hand():
    after = np.r_[np.ones(90), [0] * 3, np.ones(7)]  # three of the ten of the second group lost
    top, group = np.stack([np.ones(100), after]), np.repeat([0, 1], [90, 10])
    found = PairedMeans.of(top, np.ones((2, 100)), np.ones((2, 100), bool), np.arange(100), group)
    assert found.value[1] == pytest.approx(-0.15)
    assert found.variance[1] == pytest.approx(100 * 0.25 * 0.21 / 10 * 100 / 99)  # p (1 - p) / 4n
    assert (found.parents[1], found.weight[1]) == (10, 5)
    one = PairedMeans.of(top, np.ones((2, 100)), np.ones((2, 100), bool), np.arange(100))
    assert (one.parents[1], one.weight[1]) == (100, 1)


SHARES = {
    "even": [0.5, 0.5], "skewed": [0.85, 0.15], "more": [0.92, 0.08], "three": [0.55, 0.34, 0.11]
}  # fmt: skip


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize(("n", "gain"), [(200, 0.01), (200, 0.1), (1000, 0.03)])
def test_a_loss_of_the_margin_in_the_rarest_label_passes_at_most_at_alpha(n, gain, shares):
    """Other labels only gain and lose as much; the hardest case, since few items carry it."""
    rng, margin, trials, k = np.random.default_rng(n), 0.05, 500, len(shares)
    counts = np.round(np.array(shares) * n).astype(int)
    gold = np.repeat(np.arange(k), counts)
    loss = np.where(gold == k - 1, k * margin, 0) + gain
    draws = rng.random((trials, n))
    passed = 0
    for draw in draws:
        before, after = (draw < loss) | (draw >= loss + gain), draw >= loss
        top = np.stack([before, after]).astype(float)
        found = PairedMeans.of(top, np.ones((2, n)), np.ones((2, n), bool), np.arange(n), gold)
        passed += found.p(margin)[1] < 0.025
    assert passed / trials <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / trials)


RECALL = {  # of the intact model: as skilled as a verdict asks, and as accurate as a constant
    (55, 34, 11): (0.72, 0.42, 0.25),
    (50, 50): (0.8, 0.8),
    (85, 15): (0.97, 0.3),
    (92, 8): (0.99, 0.35),
    (95, 5): (0.995, 0.4),
}


def collapsed(percent, n):
    """Evidence of an intact model that becomes a control at 50 %, for each control and view."""
    labels = LABELS[: len(percent)]
    gold, intact = [], []
    for code, (share, recall) in enumerate(zip(percent, RECALL[percent], strict=True)):
        count = n * share // 100
        gold += [code] * count
        intact += [code if i < recall * count else int(code == 0) for i in range(count)]
    pool = [Asked(Item(str(i), "", labels[g], labels), "", labels) for i, g in enumerate(gold)]
    ids = tuple(map(str, range(len(pool))))
    frame = TaskFrame("t", labels, ids, ids, np.array(gold, dtype=np.int8))
    weights = item_weights(ids, 100, 0, "t")
    some = pool[::8]
    for name in CONTROLS:
        rng = random.Random(name)
        texts, chosen = zip(*(MODELS[name](one, some, rng) for one in pool), strict=True)
        for view, said in (("text", [text.strip() for text in texts]), ("options", chosen)):
            codes = np.stack([np.array(intact, dtype=np.int8), sk.encode(said, labels)])
            keys = tuple(Key(name, "cut", 0, x, view) for x in (0.0, 0.5))
            curve = Curve(name, name, "cut", 0, view, (0.0, 0.5), keys, codes, frame)
            info = task("t", labels, positive="yes")
            yield evidence(Sampled(curve, weights), None, info, 0.05)


@pytest.mark.parametrize("n", [400, 1200])
@pytest.mark.parametrize("percent", RECALL, ids=str)
def test_a_model_that_collapsed_to_a_null_model_is_never_called_safe(percent, n):
    found = list(collapsed(percent, n))
    rows = safety(found, 0.025, ["t"])
    assert len(rows) == 2 * len(CONTROLS)
    assert [row.model for row in rows if row.passed] == []
    assert all(row.recipe is None for row in smallest_safe(found, 0.025, {}))
    if n == 1200:  # all intact models are judged, and the constant answer passes every other test
        assert {row.state for row in rows} == {"none"}
        if percent != (50, 50):
            (row,) = (r for r in rows if r.model == "majority" and r.default)
            assert {t.test for t in row.tests if not t.passed} == {"balanced_accuracy"}


def test_a_copy_passes_where_rare_labels_are_pooled():
    """Eleven letters, of which the last have one item each, as in TruthfulQA."""
    letters = "ABCDEFGHIJK"
    counts = [185, 184, 165, 133, 78, 38, 17, 10, 5, 1, 1]
    gold = [letter for letter, n in zip(letters, counts, strict=True) for _ in range(n)]
    said = [g if i % 3 else "A" for i, g in enumerate(gold)]
    tasks = {"t": task("t", tuple(letters))}
    (row,) = run([cell("m", x, gold, said) for x in (0.0, 0.1)], letters, tasks=tasks)["safety"]
    assert row["state"] == "all"
