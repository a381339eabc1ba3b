"""Areas, half-levels, comparisons and gaps on answers written by hand."""

import json

import numpy as np
import pytest
from answers_by_hand import YN, cell, flipped, run
from lazy import WHEN_RUN

from resect.findings.robustness import area
from resect.stats.intervals import wilson

if WHEN_RUN:
    pass


GOLD = ["yes", "no"] * 50
HALVING = [(0.0, 5), (0.25, 10), (0.5, 20), (0.75, 25)]  # skill .8, .6, .2, 0


def model(name, sweep=HALVING, options=False):
    return [
        cell(name, x, GOLD, flipped(GOLD, w), flipped(GOLD, w) if options else None)
        for x, w in sweep
    ]


def pick(rows, **keys):
    return [row for row in rows if all(row[k] == v for k, v in keys.items())]


def test_curve_area_and_half_level_by_hand():
    found = run(model("m"))
    assert [row["skill"] for row in found["curves"]] == pytest.approx([0.8, 0.6, 0.2, 0.0])
    assert [row["accuracy"] for row in found["curves"]] == [0.9, 0.8, 0.6, 0.5]
    assert [row["flips"] for row in found["curves"]] == [None, 0.1, 0.3, 0.4]
    absolute, kept = found["robustness"]
    raw = 0.25 * (0.4 + 0.6 + 0.2)
    assert absolute["raw_area"] == pytest.approx(raw)
    assert absolute["value"] == pytest.approx(raw / 0.75)
    assert kept["value"] == pytest.approx(raw / 0.75 / 0.8)
    assert absolute["low"] < absolute["value"] < absolute["high"]
    cliff = found["cliffs"][0]
    assert (cliff["metric"], cliff["kind"]) == ("skill", "half")
    # retention 1, .75, .25, 0: one half lies midway between .25 and .5, which bracket it
    assert cliff["level"] == pytest.approx(0.375)
    assert (cliff["low"], cliff["high"]) == (0.25, 0.5)
    assert not cliff["censored"]
    assert cliff["reason"] is None


def test_area_is_the_trapezoid():
    assert area(np.array([0.0, 0.1, 0.4]), np.array([[1.0, 0.5, 0.0]]))[0] == pytest.approx(0.15)


def test_never_crossing_is_censored():
    found = run(model("m", [(0.0, 5), (0.5, 6)]))["cliffs"][0]
    assert found["censored"]
    assert found["level"] is None
    assert found["high"] is None
    assert "0.5" in found["reason"]


def test_no_skill_at_the_start_has_no_retention():
    found = run(model("m", [(0.0, 24), (0.5, 25)]))
    kept = found["robustness"][1]
    assert kept["kind"] == "retention"
    assert kept["value"] is None
    cliff = found["cliffs"][0]
    assert kept["reason"] == cliff["reason"] == "starts without skill"
    assert cliff["level"] is None
    assert not cliff["censored"]
    assert found["curves"][1]["metrics"]["retention"]["reason"] == "starts without skill"


def test_fewer_than_two_levels_have_no_area():
    found = run(model("m", [(0.0, 5)]))
    assert [row["value"] for row in found["robustness"]] == [None, None]
    assert found["robustness"][0]["reason"] == "fewer than 2 levels"


def test_a_gap_is_refused_and_never_zero():
    frames = model("a") + model("b", [HALVING[0], HALVING[1], HALVING[3]])
    found = run(frames, failed=[{"model": "b", "recipe": "cut", "level": 0.5}])
    mine = pick(found["robustness"], model="b")
    assert all(row["value"] is None and "gap" in row["reason"] for row in mine)
    assert all(row["value"] is not None for row in pick(found["robustness"], model="a"))
    assert all(row["difference"] is None and row["verdict"] is None for row in found["comparisons"])
    assert all(row["reason"].startswith("b: a gap") for row in found["comparisons"])
    (lost,) = pick(found["curves"], model="b", level=0.5)
    assert lost["status"] == "failed"
    assert lost["accuracy"] is None
    assert lost["n"] == 0
    assert any("out of memory" in sentence for sentence in found["warnings"])


def test_a_level_that_only_the_other_model_has_is_left_out_of_their_comparison():
    found = run(model("a") + model("b", HALVING[:3]))
    assert all(row["value"] is not None for row in found["robustness"])
    assert not found["warnings"][1:]  # but for the missing options view
    assert not pick(found["curves"], model="b", level=0.75)
    for row in found["comparisons"]:
        assert "over the 3 levels that both were asked at" in row["reason"]
        assert row["difference"] == 0
    gap = run(model("b", HALVING[:3]), study={"recipes": [{"name": "cut", "levels": [0.75]}]})
    assert all("0.75" in row["reason"] for row in gap["robustness"])


def test_a_row_without_a_view_was_not_asked_in_it():
    frames = [cell("m", x, GOLD, GOLD, GOLD) for x in (0.0, 0.5)]
    frames[1].loc[:49, "chosen"] = None
    found = run(frames)
    (row,) = pick(found["curves"], view="options", level=0.5)
    assert (row["n"], row["accuracy"]) == (50, 1.0)


def test_an_empty_text_is_silence_where_nothing_else_was_asked():
    silent = cell("m", 0.5, GOLD, [None] * 100, text="", outcome=None)
    (row,) = pick(run([cell("m", 0.0, GOLD, GOLD), silent])["curves"], level=0.5)
    assert (row["n"], row["accuracy"]) == (100, 0.0)
    both = cell("m", 0.5, GOLD, [None] * 100, GOLD, text="", outcome=None)
    rows = pick(run([cell("m", 0.0, GOLD, GOLD, GOLD), both])["curves"], level=0.5)
    assert [row["view"] for row in rows] == ["options"]


@pytest.mark.parametrize("said", [None, "yes"])
def test_scores_that_are_not_finite_are_asked_without_an_answer(said):
    scores = [(0.0, float("nan"))] * 50 + [(0.0, -1.0)] * 50
    chosen = [said] * 50 + ["yes"] * 50
    found = run([cell("m", 0.0, GOLD, GOLD, chosen, option_scores=scores)])
    (row,) = pick(found["curves"], view="options")
    assert (row["n"], row["accuracy"]) == (100, 0.25)
    assert row["metrics"]["no_answer"]["value"] == 0.5


def test_a_model_against_itself_shows_no_width_and_allows_no_verdict():
    found = run(model("a") + model("b"))
    assert [row["kind"] for row in found["comparisons"]] == ["absolute", "retention"]
    for row in found["comparisons"]:
        assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
        assert row["verdict"] is row["verdict_holm"] is row["p"] is row["detectable"] is None
        assert row["reason"] == "no verdict: the two differ on 0 of 100 items, it takes 6"
    said = " ".join(found["verdict"]["sentences"])
    assert "the two differ on 0 of 100 items" in said


def test_twelve_items_allow_no_verdict():
    few, lost = GOLD[:12], flipped(GOLD[:12], 2)
    frames = [
        cell(m, x, few, lost if (m, x) == ("b", 0.5) else few) for m in "ab" for x in (0, 0.5)
    ]
    found = run(frames)
    assert found["comparisons"]
    for row in found["comparisons"]:
        assert row["low"] > 0  # what the bootstrap alone would call a side
        assert (row["verdict"], row["p"]) == (None, None)
        assert row["reason"] == "no verdict: 12 items are too few, it takes about 50 like them"
    said = " ".join([found["headline"]["text"], *found["verdict"]["sentences"]])
    assert "12 items are too few" in said
    assert "better" not in said


def test_what_is_left_alone_has_a_p_and_no_verdict():
    unsure = [(0.0, 19), (0.5, 25)]  # skill .24: too unsure to say what share of it is left
    left, share = run(model("a", [(0.0, 5), (0.5, 6)]) + model("b", unsure))["comparisons"]
    assert left["reason"] == "no verdict: the retention comparison cannot be made"
    assert share["reason"].startswith("b: the start, 0.24 [")
    assert (left["verdict"], left["verdict_holm"], left["family"]) == (None, None, 1)
    assert left["p"] < 0.05
    assert share["p"] is None


def test_verdicts_agree_or_depend_on_the_measure():
    tougher = [(0.0, 5), (0.25, 5), (0.5, 6), (0.75, 10)]
    found = run(model("a", tougher) + model("b"))["comparisons"]
    assert [row["kind"] for row in found] == ["absolute", "retention"]
    assert {row["verdict"] for row in found} == {"a better"}
    weaker = [(0.0, 15), (0.25, 15), (0.5, 15), (0.75, 15)]  # skill .4 throughout, b's mean is .4
    found = run(model("a", weaker) + model("b"))["comparisons"]
    assert found[0]["low"] < 0 < found[0]["high"]
    assert found[1]["low"] > 0
    assert {row["verdict"] for row in found} == {"depends on the measure"}


def test_roles_decide_which_model_is_a():
    models = [{"name": "b", "role": "base"}, {"name": "a", "role": "specialist"}]
    found = run(model("b") + model("a"), models=models)
    assert {(row["a"], row["b"]) for row in found["comparisons"]} == {("a", "b")}


def test_options_view_beside_text():
    silent = [None] * 100
    frames = [cell("m", 0.0, GOLD, GOLD, GOLD), cell("m", 0.5, GOLD, silent, flipped(GOLD, 10))]
    found = run(frames)
    (text,) = pick(found["curves"], view="text", level=0.5)
    assert text["format_loss"] == pytest.approx(0.8)
    assert text["forgotten"] == pytest.approx(0.2)
    assert text["skill"] == 0.0
    assert text["metrics"]["no_answer"]["value"] == 1.0
    (options,) = pick(found["curves"], view="options", level=0.5)
    assert options["skill"] == pytest.approx(0.6)
    assert options["format_loss"] is None
    sweep = found["verdict"]["sentences"][-1]
    assert "loses the format at 50 %" in sweep
    assert "by options it keeps 0.60" in sweep


def test_uneven_items_use_what_both_were_asked_and_say_so():
    frames = [*model("a", HALVING[:3]), *model("b", HALVING[:3])]
    frames[1] = frames[1].iloc[:80]
    found = run(frames)
    (short,) = pick(found["curves"], model="a", level=0.25)
    assert short["n"] == 80
    kept = pick(found["robustness"], model="a")[0]
    assert "80 of 100" in kept["reason"]
    assert all("80 of 100" in row["reason"] for row in found["comparisons"])
    assert any("80 of 100" in sentence for sentence in found["warnings"])


def test_a_change_is_of_the_items_asked_at_both_levels():
    gold = ["yes", "no"] * 50
    said = [*gold[:50], *["no", "yes"] * 25]  # the first half right, the second wrong
    frames = [cell("m", x, gold, said) for x in (0.0, 0.5)]
    frames[1] = frames[1].iloc[:50]
    found = run(frames)
    (row,) = pick(found["curves"], level=0.5)
    assert row["flips"] == 0
    change = row["metrics"]["change"]
    assert change["value"] == 0.0
    assert change["low"] == pytest.approx(-3.8416 / (50 + 3.8416), abs=1e-4)  # Tango, b = c = 0
    (start,) = pick(found["curves"], level=0.0)
    assert start["metrics"]["change"]["value"] == 0.0


def test_no_silence_in_few_items_does_not_exclude_silence():
    gold = ["yes", "no"] * 6
    found = run([cell("m", 0.0, gold, gold), cell("m", 0.5, gold, [None] * 12)])
    whole, silent = (row["metrics"]["no_answer"] for row in found["curves"])
    assert whole == dict(wilson(0, 12)._asdict())
    assert silent == dict(wilson(12, 12)._asdict())


def test_variants_are_not_read_and_parents_cluster():
    extra = cell("m", 0.0, GOLD, flipped(GOLD, 50), variant="permuted")
    extra["item"] = extra["item"] + "v"
    assert run([*model("m"), extra])["curves"][0]["accuracy"] == 0.9
    frames = [f.assign(parent=np.repeat([f"p{i}" for i in range(10)], 10)) for f in model("m")]
    wide, narrow = run(frames)["curves"][0], run(model("m"))["curves"][0]
    width = [r["metrics"]["skill"]["high"] - r["metrics"]["skill"]["low"] for r in (wide, narrow)]
    assert width[0] != pytest.approx(width[1])


def test_floors_of_the_items_used():
    gold = ["yes"] * 7 + ["no"] * 3
    row = run([cell("m", 0.0, gold, gold)], labels=(*YN, "maybe"))["tasks"][0]
    assert row["floors"] == {
        "chance": 1 / 3, "majority": 0.7, "majority_label": "yes", "always_positive": 0.7,
        "majority_weighted": {"precision": 0.7**2, "recall": 0.7, "f1": 0.7 * 1.4 / 1.7},
    }  # fmt: skip
    assert row["gold"] == {"yes": 7, "no": 3, "maybe": 0}
    assert row["n"] == 10


def test_bits_and_unswept_recipes_have_points_and_no_area():
    for level, word in ((4.0, "bits"), (float("nan"), "nothing is swept")):
        late = cell("m", 0.5, GOLD, flipped(GOLD, 10)).assign(level=level)
        found = run([cell("m", 0.0, GOLD, GOLD), late])
        assert [row["skill"] for row in found["curves"]] == pytest.approx([1.0, 0.6])
        assert word in found["robustness"][0]["reason"]


def test_measured_levels_and_json():
    rows = [
        {"model": "m", "recipe": "none", "level": None, "measured_level": 0.0},
        {"model": "m", "recipe": "cut", "level": 0.25, "measured_level": np.float32(0.25)},
        {"model": "m", "recipe": "cut", "level": 0.5, "measured_level": float("nan")},
    ]
    rows = [row | {"seed": 0} for row in rows]
    rows += [row | {"seed": 1, "measured_level": 0.26} for row in rows if row["level"] == 0.25]
    found = run(model("m", options=True), measurements=rows)
    text = pick(found["curves"], view="text")
    assert [row["measured_level"] for row in text] == [0.0, 0.25, None, None]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_no_answers_at_all_is_still_a_summary():
    frames = model("m", HALVING[:1])
    failed = [{"model": "m", "recipe": t, "level": x} for t, x in (("none", 0), ("cut", 0.5))]
    empty = run([f.iloc[:0] for f in frames], failed=failed)
    assert empty["curves"] == []
    assert len(empty["warnings"]) == 2
    json.dumps(empty, allow_nan=False)


@pytest.mark.parametrize("control", ["silent", "yes", "no", "uniform", "garbled"])
def test_no_control_beats_an_intact_model(control):
    rng = np.random.default_rng(5)
    says = {
        "silent": [None] * 100,
        "yes": ["yes"] * 100,
        "no": ["no"] * 100,
        "uniform": list(rng.choice(YN, 100)),
        "garbled": [None if i % 3 else "yes" for i in range(100)],
    }[control]
    frames = model("a", [(0.0, 5), (0.5, 5)]) + [cell("b", x, GOLD, says) for x in (0.0, 0.5)]
    found = run(frames)
    a, b = (pick(found["robustness"], model=m, kind="absolute")[0] for m in "ab")
    assert a["low"] > b["high"]
    assert pick(found["robustness"], model="b", kind="retention")[0]["value"] is None
