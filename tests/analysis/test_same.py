"""When two summaries agree."""

import copy
import json

import pytest

from resect.analysis import differences, same_summary
from resect.errors import RequestError

ONE = {
    "schema": 1,
    "curves": [{"level": 0.5, "skill": 0.25, "n": 10, "status": "success", "flips": None}],
    "measurements": [{"parameters": 5, "seconds": 1.0, "peak_memory": 9, "tokens_per_second": 3.0}],
    "verdict": {"headline": "Half is gone at level 0.25."},
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
    other["verdict"] = {"headline": "Half is gone at level 0.26."}
    assert same_summary(ONE, other)


@pytest.mark.parametrize(
    "values",
    [{"skill": 0.251}, {"n": 11}, {"status": "failed"}, {"flips": 0.0}, {"skill": None}, {"x": 1}],
)
def test_everything_else_does(values):
    (found,) = differences(ONE, changed(**values))
    assert found.startswith(f"curves[0].{next(iter(values))}: ")
    assert not same_summary(ONE, changed(**values))


def test_tolerance_lengths_words_and_types():
    assert same_summary(ONE, changed(skill=0.26), tolerance=0.02)
    assert differences(ONE, {**ONE, "curves": []}) == ["curves: 1 and 0 entries"]
    assert not same_summary(ONE, {**ONE, "verdict": {"headline": "Half is left at level 0.25."}})
    assert not same_summary({"x": True}, {"x": 1})
    assert same_summary({"x": 1}, {"x": 1.0})


def test_files_and_folders(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps(ONE))
    assert same_summary(tmp_path, ONE)
    assert same_summary(tmp_path / "summary.json", str(tmp_path))
    with pytest.raises(RequestError, match="no readable summary"):
        same_summary(ONE, tmp_path / "other.json")
