"""What every task must keep: stable items, gold among labels, readers that never fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resect import tasks
from resect.record import OUTCOMES
from resect.tasks import Source

OFFLINE = {"pubmedqa", "mmlu-lobotomy"}


@pytest.fixture(params=sorted(tasks.TASKS))
def task(request):
    return tasks.get(request.param)


@pytest.fixture
def source(task, request) -> Source:
    if task.info.name in OFFLINE:
        return Source(request.getfixturevalue("data_dir"), limit=40)
    return Source(limit=40)


class TestTask:
    def test_names_itself_and_its_protocol(self, task):
        assert tasks.TASKS[task.info.name].startswith("resect.tasks.")
        assert "zero-shot, plain completion, at most" in task.describe(Source()).protocol
        assert 0 < task.info.margin < 1

    def test_items_are_stable_and_complete(self, task, source):
        items = task.items(source)
        assert len(items) == 40
        assert items == tasks.get(task.info.name).items(source)
        assert len({item.key for item in items}) == len({item.id for item in items}) == 40
        for item in items:
            assert item.labels == task.info.labels
            assert item.gold in item.labels
            assert len(item.choices) == len(item.labels)
            assert item.prompt.rstrip() == item.prompt
            assert all(choice.startswith(" ") for choice in item.choices)

    def test_a_smaller_limit_is_a_part_of_a_larger(self, task, source):
        ids = [item.id for item in task.items(source)]
        few = [item.id for item in task.items(Source(source.data_dir, limit=10))]
        assert set(few) <= set(ids)

    def test_the_gold_text_is_read_as_gold(self, task, source):
        for item in task.items(source):
            reading = task.read(f" {item.gold}", item)
            assert (reading.value, reading.score) == (item.gold, 1.0)
            for label, choice in zip(item.labels, item.choices, strict=True):
                assert task.read(choice, item).value == label


@given(text=st.text(max_size=80))
@settings(max_examples=50, deadline=None)
def test_any_text_is_read(text):
    for name in ("clinic-context", "clinic-medicine"):
        task = tasks.get(name)
        reading = task.read(text, task.items(Source(limit=1))[0])
        assert reading.outcome in OUTCOMES
        assert reading.score in (0.0, 1.0)
