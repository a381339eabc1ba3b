"""When two summaries agree."""

import copy
import json

import pytest

from resect.diff.same_summary import compared, same_summary
from resect.errors import RequestError

ONE = {
    "schema": 1,
    "curves": [{"level": 0.5, "skill": 0.25, "n": 10, "status": "success", "flips": None}],
    "measurements": [{"parameters": 5, "seconds": 1.0, "peak_memory": 9, "tokens_per_second": 3.0}],
    "headline": {"text": "Half is gone at level 0.25."},
    "provenance": {"started": "today"},
}


def changed(**values):
    other = copy.deepcopy(ONE)
    other["curves"][0] |= values
    return other


def test_machine_fields_and_rounding_do_not_matter():
    other = changed(skill=0.25 + 9e-7)
    other["measurements"][0] |= {"seconds": 2.0, "peak_memory": None, "tokens_per_second": 8.0}
    other["provenance"] = {}
    other["headline"] = {"text": "Half is gone at level 0.26."}
    assert same_summary(ONE, other)


@pytest.mark.parametrize(
    "values",
    [{"skill": 0.251}, {"n": 11}, {"status": "failed"}, {"flips": 0.0}, {"skill": None}, {"x": 1}],
)
def test_everything_else_does(values):
    ((field, value),) = values.items()
    (found,) = compared(ONE, changed(**values)).differences
    assert (found.section, found.row, found.field) == ("curves", {"level": 0.5}, field)
    assert (found.kind, found.second) == ("second" if field == "x" else "value", value)
    assert not same_summary(ONE, changed(**values))


def test_tolerance_lengths_words_and_types():
    assert same_summary(ONE, changed(skill=0.26), tolerance=0.02)
    (found,) = compared(ONE, {**ONE, "curves": []}).differences
    assert (found.kind, found.section, found.row) == ("first", "curves", {"level": 0.5})
    assert not same_summary(ONE, {**ONE, "headline": {"text": "Half is left at level 0.25."}})
    assert not same_summary({"x": True}, {"x": 1})
    assert same_summary({"x": 1}, {"x": 1.0})


def rows(*names):
    return [{"model": model, "level": level, "skill": level / 2} for model, level in names]


def test_rows_are_paired_by_name_and_never_by_place():
    """A level less in the first of two models: every other row is the same."""
    one = rows(("a", 0.0), ("a", 0.5), ("b", 0.0), ("b", 0.5))
    found = compared({"curves": one}, {"curves": [one[0], *one[2:]]})
    assert [(d.kind, d.row) for d in found.differences] == [("first", {"model": "a", "level": 0.5})]
    assert found.shared["curves"] == 3


def test_rows_in_another_order_are_said_once():
    one = rows(("a", 0.0), ("a", 0.5), ("b", 0.0))
    found = compared({"curves": one}, {"curves": one[::-1]}).differences
    assert [(d.kind, d.section) for d in found] == [("order", "curves")]
    assert not same_summary({"curves": one}, {"curves": one[::-1]})


def test_a_level_that_was_found_is_no_name():
    one, other = ({"cliffs": [{"model": "a", "kind": "half", "level": x}]} for x in (0.4, 0.6))
    (found,) = compared(one, other).differences
    assert (found.kind, found.row, found.field) == (
        "value",
        {"model": "a", "kind": "half"},
        "level",
    )
    assert (found.first, found.second) == (0.4, 0.6)


def test_a_row_in_a_row_has_both_names():
    one = {"verdicts": [{"model": "a", "tasks": [{"task": "t", "level": 0.5, "n": 3}]}]}
    other = {"verdicts": [{"model": "a", "tasks": [{"task": "t", "level": 0.5, "n": 4}]}]}
    (found,) = compared(one, other).differences
    assert found.section == "verdicts.tasks"
    assert found.row == {"model": "a", "task": "t", "level": 0.5}


def test_what_another_version_adds_hides_no_row():
    """A naming field that only one of them writes."""
    one, other = {"m": [{"model": "a", "x": 1}]}, {"m": [{"model": "a", "seed": 0, "x": 1}]}
    (found,) = compared(one, other).differences
    assert (found.kind, found.row, found.field) == ("second", {"model": "a"}, "seed")


def test_sentences_are_paired_by_their_words():
    one, other = {"warnings": ["2 of 9 failed.", "a b"]}, {"warnings": ["c d", "3 of 9 failed."]}
    found = [(d.kind, d.row["entry"]) for d in compared(one, other).differences]
    assert sorted(found) == [("first", "a b"), ("second", "c d"), ("value", "2 of 9 failed.")]


def test_files_and_folders(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps(ONE))
    assert same_summary(tmp_path, ONE)
    assert same_summary(tmp_path / "summary.json", str(tmp_path))
    with pytest.raises(RequestError, match="no readable summary"):
        same_summary(ONE, tmp_path / "other.json")
