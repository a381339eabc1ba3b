"""Training texts of a task are never what it asks, and calibration can read them by name."""

from __future__ import annotations

import itertools

import pytest
from lazy import WHEN_RUN

from resect import tasks
from resect.errors import RequestError
from resect.spec import Calibration
from resect.tasks import Source

if WHEN_RUN:
    from resect.methods.calibration import calibration_text


@pytest.mark.parametrize("name", ["clinic-medicine", "clinic-context", "clinic-logic"])
def test_the_clinic_makes_texts_of_each_task(name):
    found = list(itertools.islice(tasks.get(name).training(Source()), 300))
    assert found == list(itertools.islice(tasks.get(name).training(Source()), 300))
    asked = {item.prompt for item in tasks.get(name).items(Source())}
    assert not any(text.startswith(tuple(asked)) for text in found)


@pytest.mark.parametrize(
    ("name", "count"), [("pubmedqa-test", 500), ("mmlu-medical", 25), ("gsm8k", 7473)]
)
def test_a_task_gives_its_other_split(name, count, data_dir):
    """Five of MMLU's thirty medical dev rows stand word for word in its test split: left out."""
    task, source = tasks.get(name), Source(data_dir)
    found = list(task.training(source))
    assert len(found) == len(set(found)) == count
    asked = {item.prompt for item in task.items(source)}
    assert not any(text.startswith(tuple(asked)) for text in found)


def test_a_task_that_asks_all_it_has_gives_none(data_dir):
    with pytest.raises(RequestError, match="asks all of its questions"):
        list(tasks.get("pubmedqa").training(Source(data_dir)))


def test_sources_take_turns_and_are_hashed(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text("".join(f'{{"text": "{name}{i}"}}\n' for i in "12"))
    both = f"{tmp_path / 'a.jsonl'}|{tmp_path / 'b.jsonl'}"
    assert list(calibration_text.texts(both)) == ["a1", "b1", "a2", "b2"]
    before = calibration_text.name_of(Calibration(data=both))
    (tmp_path / "b.jsonl").write_text('{"text": "else"}\n')
    assert calibration_text.name_of(Calibration(data=both)) != before
    with pytest.raises(RequestError, match="unknown task"):
        calibration_text.name_of(Calibration(data="clinic|task:nothing"))


def test_another_seed_or_task_is_another_source():
    names = {
        calibration_text.name_of(Calibration(data=data, seed=seed))
        for data in ("task:clinic-logic", "task:clinic-medicine", "clinic")
        for seed in (0, 1)
    }
    assert len(names) == 6
