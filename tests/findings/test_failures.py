"""Bias, slices, divergences, forgetting; and controls that must win nothing."""

import numpy as np
import pytest
from answers_by_hand import YN, cell, flipped, run, skill_of, tally_of
from lazy import WHEN_RUN
from lobotomy_logs import task

from resect.findings.divergences import lost_from
from resect.stats.intervals import wilson
from resect.stats.label_bias import detection, lean, recall_spread

if WHEN_RUN:
    from scipy.stats import norm


GOLD = ["yes", "no"] * 50
ABCD = tuple("ABCD")


def pick(rows, **keys):
    return [row for row in rows if all(row[k] == v for k, v in keys.items())]


def test_detection_by_hand():
    answers = ["yes"] * 40 + [None] * 10 + ["yes"] * 15 + ["no"] * 35
    t = tally_of(["yes"] * 50 + ["no"] * 50, answers, YN)
    found = detection(t, 0)
    hit, alarm = norm.ppf(40.5 / 41), norm.ppf(15.5 / 51)  # of the answers given
    assert found.sensitivity[0, 0] == pytest.approx(hit - alarm)
    assert found.criterion[0, 0] == pytest.approx(-(hit + alarm) / 2)
    always = detection(tally_of(GOLD, ["yes"] * 100, YN), 0)
    assert always.sensitivity[0, 0] == pytest.approx(0)
    assert always.criterion[0, 0] < -2  # leans to yes
    assert np.isnan(detection(tally_of(["yes"] * 4, ["yes"] * 4, YN), 0).criterion[0, 0])


def test_silence_is_no_lean_to_no():
    rng = np.random.default_rng(0)
    even = list(rng.choice(YN, 100))
    fading = [said if i < 40 else None for i, said in enumerate(even)]
    cells = [cell("m", x, GOLD, said) for x, said in ((0.0, GOLD), (0.4, fading))]
    one_side = [g if g == "yes" and i < 40 else None for i, g in enumerate(GOLD)]
    cells += [cell("m", 0.6, GOLD, one_side), cell("m", 0.8, GOLD, [None] * 100)]
    _, faded, half, silent = run(cells)["bias"]
    assert faded["criterion"]["low"] < 0 < faded["criterion"]["high"]
    assert faded["sensitivity"]["low"] < 0 < faded["sensitivity"]["high"]
    nothing = {"value": None, "low": None, "high": None}
    for row in (half, silent):  # nothing was said to one side, or to none
        assert row["criterion"] == row["sensitivity"] == nothing


def test_letter_bias_by_hand():
    gold = list("ABCD") * 25
    always = tally_of(gold, ["C"] * 100, ABCD)
    assert lean(always).counted[0, 0] == pytest.approx(0.75)
    assert recall_spread(always).counted[0, 0] == pytest.approx(np.std([0, 0, 1, 0]))
    even = tally_of(gold, gold, ABCD)
    assert lean(even).counted[0, 0] == recall_spread(even).counted[0, 0] == 0
    assert np.isnan(lean(tally_of(gold, [None] * 100, ABCD)).counted[0, 0])


def test_bias_rows():
    found = run([cell("m", 0.0, GOLD, GOLD), cell("m", 0.5, GOLD, ["yes"] * 90 + [None] * 10)])
    whole, cut = found["bias"]
    assert whole["lean"]["value"] == 0
    assert cut["positive_share"]["value"] == 1
    assert cut["answered"] == 90
    assert cut["predicted"]["yes"] == dict(wilson(90, 100)._asdict())
    assert cut["gold"] == {"yes": 0.5, "no": 0.5}
    assert cut["favourite"] == {"label": "yes", "excess": 0.5}
    assert cut["criterion"]["high"] < 0
    assert cut["sensitivity"]["low"] < 0 < cut["sensitivity"]["high"]
    assert cut["letter_bias"] is None
    assert cut["floors"] == {"majority": 0.5, "majority_label": "yes", "always_positive": 0.5}
    letters = run([cell("m", 0.0, list("ABCD") * 10, ["A"] * 40)], labels=ABCD)["bias"][0]
    assert letters["letter_bias"]["value"] > 0.4
    assert "criterion" not in letters


def test_forgetting_and_format_loss_have_intervals():
    frames = [
        cell("m", 0.0, GOLD, GOLD, GOLD),
        cell("m", 0.5, GOLD, [None] * 100, flipped(GOLD, 10)),
    ]
    (row,) = pick(run(frames)["curves"], view="text", level=0.5)
    assert row["metrics"]["format_loss"] == dict(wilson(80, 100)._asdict())
    assert row["metrics"]["forgotten"] == dict(wilson(20, 100)._asdict())


def test_slices_by_tag_name_the_worst():
    tags = [{"topic": "heart" if i < 60 else "skin", "id": str(i), "same": "x"} for i in range(100)]
    wrong = [("no" if g == "yes" else "yes") if i >= 60 else g for i, g in enumerate(GOLD)]
    found = run([cell("m", 0.0, GOLD, GOLD, tags=tags), cell("m", 0.5, GOLD, wrong, tags=tags)])
    (row,) = found["slices"]  # one value and a hundred values are no slices
    assert (row["tag"], row["level"]) == ("topic", 0.5)
    assert [v["n"] for v in row["values"]] == [60, 40]
    assert row["worst"]["value"] == "skin"
    assert (row["worst"]["accuracy"], row["worst"]["n"]) == (0.0, 40)
    assert row["worst"]["high"] == pytest.approx(wilson(0, 40).high)
    assert row["worst"]["apart"]
    assert row["values"][0]["change"] == 0


def test_lost_from_by_hand():
    right = np.array([[1, 1, 1, 0], [0, 1, 0, 0], [1, 1, 0, 0]], dtype=bool)
    assert lost_from(right).tolist() == [3, 3, 1, 0]


def test_divergences_rank_what_one_model_keeps():
    def lacks(*lost):
        return [None if i in lost else g for i, g in enumerate(GOLD)]

    # 7: b loses it at 0.2, where a has it wrong for a while; 9: a never had it
    said_a = [lacks(9), lacks(7, 9), lacks(1, 9), lacks(1, 2, 9)]
    said_b = [GOLD, lacks(1, 3, 7), lacks(1, 7), lacks(1, 2, 5, 7)]
    levels = (0.0, 0.2, 0.4, 0.6)
    a = [cell("a", x, GOLD, said) for x, said in zip(levels, said_a, strict=True)]
    b = [cell("b", x, GOLD, said) for x, said in zip(levels, said_b, strict=True)]
    (row,) = run(a + b)["divergences"]
    assert (row["n"], row["kept_by_a"], row["kept_by_b"]) == (99, 2, 0)
    first, second = row["items"]
    assert (first["item_id"], first["keeps"], first["level"], first["until"]) == (
        "i001",
        "a",
        0.2,
        0.4,
    )
    assert (second["item_id"], second["loses"], second["until"]) == ("i005", "b", None)


def test_at_most_thirty_divergences_from_both_sides():
    a = [cell("a", 0.0, GOLD, GOLD), cell("a", 0.5, GOLD, [None] * 45 + GOLD[45:])]
    b = [cell("b", 0.0, GOLD, GOLD), cell("b", 0.5, GOLD, GOLD[:92] + [None] * 8)]
    (row,) = run(a + b)["divergences"]
    assert (row["kept_by_a"], row["kept_by_b"]) == (8, 45)
    assert [sum(i["keeps"] == m for i in row["items"]) for m in "ab"] == [8, 22]


CONTROLS = ("silent", "garbage", "abstain", "uniform", "constant", "yes", "majority", "random")


def control(name, gold, labels, rng):
    """What a model without knowledge says to `gold`."""
    n = len(gold)
    commonest = max(labels, key=gold.count)
    return {
        "silent": [None] * n,
        "garbage": [None if i % 3 else labels[i % len(labels)] for i in range(n)],
        "abstain": ["maybe"] * n,
        "uniform": [labels[i % len(labels)] for i in rng.permutation(n)],
        "constant": [labels[1]] * n,
        "yes": ["yes"] * n,
        "majority": [commonest] * n,
        "random": list(rng.choice([*labels, None], n)),
    }[name]


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_has_no_skill_and_never_beats_an_intact_model(name):
    labels = ("yes", "no", "maybe")
    rng = np.random.default_rng(CONTROLS.index(name))
    gold = ["yes"] * 110 + ["no"] * 68 + ["maybe"] * 22
    found = [skill_of(gold, control(name, gold, labels, rng), labels) for _ in range(300)]
    expected = 3 * np.std(found) / np.sqrt(300)
    assert abs(np.mean(found)) <= expected + (1e-9 if name != "garbage" else 0.05)
    intact = [labels[(labels.index(g) + (i % 5 == 0)) % 3] for i, g in enumerate(gold)]
    frames = [cell("real", x, gold, intact) for x in (0.0, 0.3, 0.6)]
    said = control(name, gold, labels, rng)
    frames += [cell("control", x, gold, said) for x in (0.0, 0.3, 0.6)]
    summary = run(frames, labels=labels, tasks={"t": task("t", labels, positive="yes")})
    assert {r["verdict"] for r in summary["comparisons"]} <= {"a better", None}
    real, fake = (
        pick(summary["robustness"], model=m, kind="absolute")[0] for m in ("real", "control")
    )
    assert real["low"] > fake["high"]
    (row,) = pick(summary["verdicts"], model="control")
    assert row["state"] == "undetermined"
    assert pick(summary["verdicts"], model="real")[0]["passed_level"] == 0.6
    assert all(r["level"] is None for r in pick(summary["cliffs"], model="control", metric="skill"))


LACKING = [
    (["yes"] * 12 + ["no"] * 8, ("yes", "no", "maybe")),  # PubMedQA's first 20, without a maybe
    (["yes"] * 12 + ["no"] * 7 + ["maybe"], ("yes", "no", "maybe")),
    (["A", "B"] * 30, ABCD),
]


@pytest.mark.parametrize(("gold", "labels"), LACKING)
def test_no_constant_answer_has_skill_where_labels_have_few_items_or_none(gold, labels):
    for said in (*labels, None):
        frames = [cell("m", x, gold, [said] * len(gold)) for x in (0.0, 0.5)]
        found = run(frames, labels=labels, tasks={"t": task("t", labels)})
        for row in found["curves"]:
            assert row["skill"] == 0
            assert row["metrics"]["skill"]["low"] <= 0
            assert row["metrics"]["retention"]["value"] is None
        assert found["verdicts"][0]["state"] == "undetermined"


def test_one_gold_label_is_refused_with_its_reason():
    frames = [cell("m", x, ["yes"] * 100, ["yes"] * 100) for x in (0.0, 0.5)]
    found = run(frames)
    assert found["verdicts"][0]["undetermined"][0]["why"] == "no skill to lose"
    for row in found["robustness"]:
        assert "one gold label" in row["reason"]
    assert "one gold label" in found["curves"][0]["metrics"]["skill"]["reason"]
    assert all(r["level"] is None for r in found["cliffs"])


@pytest.mark.parametrize("name", CONTROLS)
def test_a_model_that_collapses_to_a_control_fails(name):
    labels = ("yes", "no", "maybe")
    rng = np.random.default_rng(7)
    gold = ["yes"] * 110 + ["no"] * 68 + ["maybe"] * 22
    frames = [cell("m", 0.0, gold, gold), cell("m", 0.5, gold, control(name, gold, labels, rng))]
    row = run(frames, labels=labels, tasks={"t": task("t", labels, positive="yes")})["verdicts"][0]
    assert (row["state"], row["passed_level"]) == ("failed", None)
