"""The same questions asked in two runs, by hand."""

import pandas as pd
import pytest
from answers_by_hand import YN, cell
from lobotomy_logs import task

from resect.diff.answer_diff import diff_answers

TASKS = {"t": task("t", YN)}
RIGHT_BEFORE = ["yes"] * 9 + ["no"]
RIGHT_AFTER = ["no"] * 4 + ["yes"] * 6


def gold(answers):
    return ["yes"] * len(answers)


def ask(answers, model="m", level=0.5, **more):
    return cell(model, level, gold(answers), answers, **more)


def compare(first, second, names=None, tasks=(TASKS, TASKS)):
    both = [pd.concat(frames, ignore_index=True) for frames in (first, second)]
    return diff_answers((both[0], tasks[0]), (both[1], tasks[1]), names or {})


def test_lost_gained_and_what_only_one_run_asked():
    """Of ten items in both 4 are lost and 1 is gained: McNemar 2 (1 + 5) / 2^5 = 0.375, over two
    cells 0.75 after Holm. The baseline did not change.
    """
    base = ask(["yes"] * 10, level=0)
    found = compare([base, ask([*RIGHT_BEFORE, "yes", "no"])], [base, ask(RIGHT_AFTER)])
    same, moved = found.cells
    assert (same.recipe, same.level, same.same, same.p) == ("none", 0.0, 10, 1.0)
    assert (moved.n, moved.only_first, moved.only_second) == (10, 2, 0)
    assert (moved.lost, moved.gained, moved.changed) == (4, 1, 5)
    assert moved.difference == pytest.approx(-0.3)
    assert (moved.first, moved.second) == (0.9, 0.6)
    assert (moved.p, moved.p_holm) == (pytest.approx(0.375), pytest.approx(0.75))
    assert moved.low < -0.3 < moved.high
    assert found.family == 2


def test_items_of_one_parent_count_as_what_they_are():
    """Five parents of two items each say less than ten items."""
    parents = [f"p{i // 2}" for i in range(10)]
    before, after = ["yes"] * 10, ["no"] * 4 + ["yes"] * 6
    alone = compare([ask(before)], [ask(after)]).cells[0]
    (found,) = compare([ask(before, parent=parents)], [ask(after, parent=parents)]).cells
    assert alone.p == pytest.approx(0.125)
    assert (found.lost, found.gained) == (4, 0)
    assert found.low < alone.low


def test_the_same_label_in_other_words_is_neither_the_same_nor_changed():
    words = ["a", "a", "b", "b"]
    one, other = ask(["yes"] * 4, text=["a"] * 4), ask(["yes", "no", "yes", "yes"], text=words)
    (found,) = compare([one], [other]).cells
    assert (found.n, found.same, found.changed, found.lost) == (4, 1, 1, 1)


def test_option_scores_are_the_same_to_a_millionth():
    def scored(by):
        rows = ask([None] * 3, chosen=["yes"] * 3, text=None, outcome="")
        rows["option_scores"] = pd.Series([(-1.0, -2.0 + x) for x in by], dtype=object)
        return rows

    (found,) = compare([scored((0, 0, 0))], [scored((0, 1e-9, 1e-3))]).cells
    assert (found.view, found.n, found.same, found.changed) == ("options", 3, 2, 0)


def test_a_model_goes_by_the_name_it_is_paired_with():
    one, other = [ask(["yes"] * 3)], [ask(["yes"] * 3, model="new"), ask(["no"], model="x")]
    found = compare(one, other, {"new": "m"})
    assert [(c.model, c.same) for c in found.cells] == [("m", 3)]
    assert [(c.model, c.view) for c in found.only_second] == [("x", "text")]
    assert found.only_first == ()


def test_items_right_in_part_have_a_difference_and_no_counts():
    info = {"t": task("t", ())}
    info["t"] = info["t"].__class__(
        name="t", kind="text", labels=(), summary="", protocol="", max_new_tokens=9,
        primary="rouge_l",
    )  # fmt: skip
    one, other = (
        ask(["yes"] * 4, score=scores, parts=[{"rouge_l": x} for x in scores], text=list("abcd"))
        for scores in ([0.5, 0.5, 0.5, 0.5], [0.5, 0.25, 0.5, 0.75])
    )
    (found,) = compare([one], [other], tasks=(info, info)).cells
    assert (found.metric, found.lost, found.gained) == ("rouge_l", None, None)
    assert found.difference == pytest.approx(0.0)
    assert found.same == 4


def test_a_task_with_other_labels_shares_only_its_name():
    found = compare(
        [ask(["yes"])], [ask(["yes"])], tasks=(TASKS, {"t": task("t", ("yes", "no", "x"))})
    )
    assert (found.cells, found.unlike_tasks) == ((), ("t",))


def test_a_repeated_run_is_the_same_everywhere():
    frames = [ask(RIGHT_BEFORE, level=x, text=RIGHT_BEFORE) for x in (0, 0.25, 0.5)]
    found = compare(frames, frames)
    assert [(c.n, c.same, c.p_holm) for c in found.cells] == [(10, 10, 1.0)] * 3
