"""Reliability by hand: permuted options, swapped contexts, abstaining, what breaks first."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import YN, cell, run
from lazy import WHEN_RUN
from lobotomy_logs import task

from resect.findings.failure_order import Contestant, no_race, race
from resect.record import ABSTAIN
from resect.stats.confidence import Beliefs, discrimination
from resect.stats.intervals import item_weights, newcombe, wilson

if WHEN_RUN:
    from scipy.stats import mannwhitneyu


ABCD = tuple("ABCD")
LEVELS = (0.0, 0.2, 0.4, 0.6)


def pick(rows, **keys):
    return [row for row in rows if all(row[k] == v for k, v in keys.items())]


def again(variant, model, level, gold, answers, **more):
    """One cell's answers to a variant of every item."""
    ids = [f"i{i:03d}" for i in range(len(gold))]
    named = {"item": [f"{x}~{variant}" for x in ids], "parent": ids, "variant": variant}
    return cell(model, level, gold, answers, **{"item_id": named["item"], **named, **more})


def options(n, shift=0):
    """Four texts under four letters, each text `shift` places on."""
    return [{ABCD[(j + shift) % 4]: f"text {j}" for j in range(4)} for _ in range(n)]


def test_consistency_reads_the_text_of_the_option_chosen():
    gold = ["A", "B", "C", "D", "A", "B"]
    said = ["A", "B", "A", "D", None, "A"]
    # every text moves one letter on: the same choice as A is B
    moved = ["B", "C", "A", None, None, "B"]
    frames = [
        cell("m", 0.0, gold, said, options=options(6)),
        again("permuted", "m", 0.0, gold, moved, options=options(6, shift=1)),
    ]
    (row,) = pick(run(frames, labels=ABCD)["reliability"], view="text")
    # same: 1, 2, 6; another: 3; no answer is inconsistent, whichever of the two lacks it
    assert row["consistency"] == {**wilson(3, 6)._asdict(), "n": 6, "guess": 0.25}


def test_grounding_is_of_what_was_first_right_and_grounded_of_all():
    gold = ["yes"] * 5 + ["no"] * 5
    said = ["yes"] * 4 + ["no"] + ["no"] * 3 + ["yes", None]  # 7 right
    other = ["no", "yes", None, "yes", "yes", "yes", "no", "no", "no", "no"]
    frames = [cell("m", 0.0, gold, said), again("swapped", "m", 0.0, gold, other)]
    (row,) = pick(run(frames)["reliability"], view="text")
    changed = 3  # 1st, 3rd and 6th, all right before; what was wrong does not count
    assert row["grounding"]["value"] == pytest.approx(changed / 7)
    assert (row["grounding"]["n"], row["grounded"]["n"]) == (7, 10)
    assert row["grounded"]["value"] == pytest.approx(changed / 10)
    assert row["grounding"]["guess"] == 0.5
    assert row["grounded"]["guess"] == 0.25


def test_preference_counts_a_question_once_and_only_where_every_order_is_right():
    gold, ids = ["A", "B"] * 4, [f"q{i // 2}" for i in range(8)]
    said = ["A", "B", "A", "A", None, "B", "B", "A"]  # right both, always A, one missing, none
    tags = [{"order": "x"}] * 8
    frames = [cell("m", 0.0, gold, said, parent=ids, tags=tags)]
    (row,) = run(frames, labels=("A", "B"))["reliability"]
    assert (row["preference"]["value"], row["preference"]["n"]) == (0.25, 4)
    assert row["preference"]["guess"] == 0.25
    plain = run([cell("m", 0.0, gold, said, parent=ids)], labels=("A", "B"))
    assert plain["reliability"] == []  # a shared parent alone is no order


def asked_to_abstain(model, level, unanswerable, answerable):
    """Two tasks: fake questions, and real ones with a way out; answers of each."""
    n, m = len(unanswerable), len(answerable)
    offered, none = (*ABCD, ABSTAIN), ABCD
    ids = [f"i{i:03d}" for i in range(m)]
    return [
        cell(model, level, [ABSTAIN] * n, unanswerable, task="fake", meant=[offered] * n),
        cell(model, level, ["A"] * m, ["A"] * m, task="t", meant=[none] * m),
        again("unsure", model, level, ["A"] * m, answerable, task="t", meant=[offered] * m,
              parent=ids),
    ]  # fmt: skip


def abstention(levels, **more):
    frames = [f for level, both in levels.items() for f in asked_to_abstain("m", level, *both)]
    tasks = {"fake": task("fake", (*ABCD, ABSTAIN)), "t": task("t", ABCD)}
    return run(frames, labels=ABCD, tasks=tasks, **more)["abstention"]


def test_abstention_is_j():
    fake = [ABSTAIN] * 8 + ["A", None]
    real = [ABSTAIN] * 3 + ["A"] * 17
    (row,) = abstention({0.0: (fake, real)})
    (at,) = row["levels"]
    assert (at["unanswerable"]["value"], at["unanswerable"]["n"]) == (0.8, 10)
    assert (at["answerable"]["value"], at["answerable"]["n"]) == (0.15, 20)
    assert at["j"]["value"] == pytest.approx(0.65)
    (_, l1, u1), (_, l2, u2) = wilson(8, 10), wilson(3, 20)
    assert at["j"]["low"] == pytest.approx(0.65 - math.hypot(0.8 - l1, u2 - 0.15))
    assert at["j"]["high"] == pytest.approx(0.65 + math.hypot(u1 - 0.8, 0.15 - l2))
    assert row["tasks"] == {"unanswerable": ["fake"], "answerable": ["t"]}


def test_abstaining_on_one_parent_of_many_items_is_less_sure():
    fake = [ABSTAIN if i // 4 % 2 else "A" for i in range(120)]
    frames = [
        cell("m", 0.0, [ABSTAIN] * 120, fake, task="fake", meant=[(*ABCD[:3], ABSTAIN)] * 120),
        cell("m", 0.0, ["A"] * 120, ["A"] * 120, task="t", meant=[(*ABCD, ABSTAIN)] * 120),
    ]
    tasks = {"fake": task("fake", (*ABCD, ABSTAIN)), "t": task("t", (*ABCD, ABSTAIN))}
    together = [f"p{i // 4}" for i in range(120)]
    shown = []
    for parent in (None, together):
        given = [frame.assign(parent=parent) for frame in frames]
        (row,) = run(given, labels=ABCD, tasks=tasks)["abstention"]
        shown.append(row["levels"][0]["unanswerable"])
    assert shown[0]["value"] == shown[1]["value"] == 0.5
    assert shown[1]["low"] == pytest.approx(0.5 - (0.5 - shown[0]["low"]) * 2, abs=0.02)


def test_newcombe_equals_the_published_example():
    """Newcombe 1998, table II, method 10: 56/70 minus 48/80."""
    found = newcombe(wilson(56, 70), wilson(48, 80))
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)


@pytest.mark.parametrize(
    ("both", "j"),
    [(([ABSTAIN] * 9, [ABSTAIN] * 9), 0), (([None] * 9, [None] * 9), 0),
     ((["A"] * 9, ["A"] * 9), 0), (([ABSTAIN] * 9, ["A"] * 9), 1),
     (([ABSTAIN] * 9, [None] * 9), 1), ((["A"] * 9, [ABSTAIN] * 9), -1)],
)  # fmt: skip
def test_j_of_controls(both, j):
    (row,) = abstention({0.0: both})
    assert row["levels"][0]["j"]["value"] == j


def test_j_of_one_letter_is_that_of_guessing():
    """Two of four letters abstain on one side, one of five on the other."""
    fake = [ABSTAIN, "A"] * 10  # always C, which abstains in every other question
    real = [ABSTAIN, "A", "B", "C", "D"] * 4
    offered = {"fake": [("A", "B", ABSTAIN, ABSTAIN)] * 20, "t": [(*ABCD, ABSTAIN)] * 20}
    frames = [
        cell("m", 0.0, [ABSTAIN] * 20, fake, task="fake", meant=offered["fake"]),
        cell("m", 0.0, ["A"] * 20, real, task="t", meant=offered["t"]),
    ]
    tasks = {"fake": task("fake", (*ABCD, ABSTAIN)), "t": task("t", (*ABCD, ABSTAIN))}
    (row,) = run(frames, tasks=tasks)["abstention"]
    j = row["levels"][0]["j"]
    assert j["value"] == j["guess"] == pytest.approx(0.5 - 0.2)


def test_a_refusal_abstains_and_garbage_does_not():
    frames = [
        cell("m", 0.0, [ABSTAIN] * 4, [None] * 4, task="fake", meant=[(*ABCD, ABSTAIN)] * 4,
             outcome=["refusal", "refusal", "degenerate", "off_task"]),
        cell("m", 0.0, ["A"] * 4, [None] * 4, task="real", meant=[(*ABCD, ABSTAIN)] * 4,
             outcome=["refusal"] * 4),
    ]  # fmt: skip
    tasks = {"fake": task("fake", (*ABCD, ABSTAIN)), "real": task("real", (*ABCD, ABSTAIN))}
    (row,) = run(frames, tasks=tasks)["abstention"]
    assert row["levels"][0]["unanswerable"]["value"] == 0.5
    assert row["levels"][0]["answerable"]["value"] == 1


def test_auroc_equals_the_mann_whitney_statistic():
    rng = np.random.default_rng(4)
    n = 60
    right = rng.random(n) < 0.6
    sure = np.round(rng.random(n) * 0.5 + 0.5 * (rng.random(n) < 0.5 + 0.3 * right), 1)
    gold = np.zeros(n, dtype=np.int8)
    codes = np.where(right, 0, 1).astype(np.int8)[None]
    table = np.empty((1, n, 2), dtype=np.float32)
    table[0, :, 0] = np.where(right, sure, 1 - sure)
    table[0, :, 1] = 1 - table[0, :, 0]
    weights = item_weights([f"q{i:02d}" for i in range(n)], 40, 0, "auroc")
    beliefs = Beliefs(codes, gold, table)
    sure = beliefs.confidence[0]
    found = discrimination(weights, beliefs)
    for row in (0, 7, 31):
        again_ = np.repeat(np.arange(n), weights[row].astype(int))
        hits = right[again_]
        u = mannwhitneyu(sure[again_][hits], sure[again_][~hits]).statistic
        assert found[row, 0] == pytest.approx(u / (hits.sum() * (~hits).sum()), abs=1e-6)


def test_races_say_what_breaks_first_and_by_how_many_levels():
    levels = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    late = np.tile([1.0, 1.0, 1.0, 0.6, 0.4], (101, 1))  # half at 0.35
    early = np.tile([1.0, 0.8, 0.2, 0.0, 0.0], (101, 1))  # half at 0.15

    def two(a, b):
        return race([Contestant("a", levels, a), Contestant("b", levels, b)])

    found = two(late, early)
    assert (found.first, found.clear, found.share) == ("b", True, 1.0)
    assert found.by == found.low == pytest.approx(0.2)
    assert found.steps == pytest.approx(2.0)
    assert two(early, late).first == "a"
    near = np.tile([1.0, 1.0, 0.7, 0.3, 0.0], (101, 1))  # half at 0.25, a step before
    assert two(late, near).clear
    nearer = np.tile([1.0, 1.0, 1.0, 0.5, 0.0], (101, 1))  # half at 0.3: half a step
    assert (two(late, nearer).first, two(late, nearer).clear) == ("b", False)
    whole = np.ones((101, 5))
    never = two(late, whole)
    assert (never.first, never.by, never.clear) == ("a", None, True)
    assert never.places["b"].censored
    assert "none is half gone" in two(whole, whole).reason
    assert no_race(("a", "b"), "a gap").reason == "a gap"


def run_with_variants(says, moved, labels=ABCD, n=80):
    """A model through four levels: what it says, and what it says where options moved one on."""
    gold = [labels[i % 4] for i in range(n)]
    frames = []
    for level in LEVELS:
        frames.append(cell("m", level, gold, says(gold, level), options=options(n)))
        frames.append(
            again("permuted", "m", level, gold, moved(gold, level), options=options(n, shift=1))
        )
    return run(frames, labels=labels)


def test_consistency_can_break_before_accuracy():
    def after(letter):
        return ABCD[(ABCD.index(letter) + 1) % 4]

    def moved(gold, level):
        share = {0.0: 1.0, 0.2: 0.3, 0.4: 0.1, 0.6: 0.0}[level]
        return [after(g) if i % 80 < 80 * share else g for i, g in enumerate(gold)]

    def says(gold, level):
        return [after(g) if level == 0.6 and i % 8 else g for i, g in enumerate(gold)]

    found = run_with_variants(says, moved)
    (row,) = pick(found["reliability_first"], metric="consistency")
    assert (row["race"]["first"], row["race"]["clear"]) == ("reliability", True)
    assert row["race"]["low"] > 0.1
    assert [at["utility"]["value"] for at in row["levels"][:3]] == [1, 1, 1]
    kept = (0.3 - 0.25) / 0.75  # guessing is nothing
    assert row["levels"][1]["reliability"]["value"] == pytest.approx(kept)
    (cliff,) = pick(found["cliffs"], metric="consistency", kind="half")
    assert cliff["level"] == row["race"]["places"]["reliability"]["level"]
    assert pick(found["cliffs"], metric="consistency", kind="divergence")[0]["level"] == 0.2


def test_growing_silent_is_no_sign_of_being_unreliable_first():
    """Silence is nothing for skill and for consistency: both keep the same share."""

    def silent(gold, level):
        return [None if i % 80 < 120 * level else g for i, g in enumerate(gold)]

    def also(gold, level):
        letters = [ABCD[(ABCD.index(g) + 1) % 4] for g in gold]  # the same texts, moved on
        return [x if y else None for x, y in zip(letters, silent(gold, level), strict=True)]

    (row,) = pick(run_with_variants(silent, also)["reliability_first"], metric="consistency")
    assert row["race"]["clear"] is False
    assert row["levels"]
    for at in row["levels"]:
        assert at["reliability"]["value"] == pytest.approx(at["utility"]["value"])


def test_always_the_same_letter_is_never_consistent():
    found = run_with_variants(lambda gold, level: ["A"] * 80, lambda gold, level: ["A"] * 80)
    assert found["reliability"]
    for row in found["reliability"]:
        assert row["consistency"]["value"] == 0


def domain_study(medical, general):
    """Answers on two tasks; the share right at each level."""
    rng = np.random.default_rng(0)
    frames = []
    for name, shares in (("med", medical), ("gen", general)):
        gold = [YN[i % 2] for i in range(200)]
        luck = rng.random(200)
        for level, share in zip(LEVELS, shares, strict=True):
            both = zip(gold, luck, strict=True)
            said = [g if x < share else YN[1 - YN.index(g)] for g, x in both]
            frames.append(cell("m", level, gold, said, task=name))
    tasks = {"med": task("med", YN, domain="medical"), "gen": task("gen", YN, domain="general")}
    return run(frames, tasks=tasks)["domains"]


def test_domains_are_held_against_each_other():
    (row,) = domain_study((1, 1, 1, 0.9), (1, 0.8, 0.6, 0.5))
    assert row["tasks"] == {"medical": ["med"], "general": ["gen"]}
    assert row["difference"]["low"] > 0.2
    assert row["race"]["first"] == "general"
    last = row["levels"][-1]
    assert last["medical"]["value"] == pytest.approx(0.8, abs=0.15)
    assert domain_study((1, 1, 1, 1), (0.5, 0.5, 0.5, 0.5))[0]["reason"].startswith("no general")


def test_accuracy_reads_no_variant_and_resampling_keeps_them_with_their_question():
    gold = ["A", "B", "C", "D"] * 10
    alone = run([cell("m", 0.0, gold, gold, options=options(40))], labels=ABCD)
    wrong = ["B" if g == "A" else "A" for g in gold]
    both = run(
        [cell("m", 0.0, gold, gold, options=options(40)),
         again("permuted", "m", 0.0, gold, wrong, options=options(40, shift=1))],
        labels=ABCD,
    )  # fmt: skip
    assert both["curves"] == alone["curves"]
    assert both["tasks"][0]["n"] == 40
    assert isinstance(pd.DataFrame(both["reliability"]), pd.DataFrame)
