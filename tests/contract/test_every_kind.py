"""What every task without labels must keep: its own answers read as right, silence as nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resect import tasks
from resect.findings.part_metrics import METRICS
from resect.record import OUTCOMES, Item
from resect.tasks import Source
from resect.tasks.sandbox.programs import OPT_IN

NAMES = [n for n in tasks.TASKS if not n.endswith(":") and tasks.get(n).info.kind != "label"]
READ = [name for name in NAMES if tasks.get(name).info.kind != "score"]


@pytest.fixture(params=READ)
def task(request, monkeypatch):
    monkeypatch.setenv(OPT_IN, "1")
    return tasks.get(request.param)


@pytest.fixture
def source(data_dir) -> Source:
    return Source(data_dir, limit=12)


def questions(task, source):
    return list(task.limited(task.questions(source), source.limit))


def test_its_own_answer_is_right_and_silence_is_nothing(task, source):
    for item, question in zip(task.items(source), questions(task, source), strict=True):
        shown = task.shown(question).split(task.info.stop[0])[0]
        reading = task.read(shown, item, "stop")
        assert reading.score == 1.0, (item.id, reading)
        assert reading.value is not None
        silent = task.read("", item, "eos")
        assert (silent.value, silent.score, silent.outcome) == (None, 0.0, "degenerate")


def test_its_metric_is_made_of_what_it_keeps(task, source):
    (item, *_), (question, *_) = task.items(source), questions(task, source)
    parts = task.read(task.shown(question), item).parts
    if task.info.primary in METRICS:
        assert METRICS[task.info.primary].parts <= set(parts)
    else:
        assert task.info.primary in ("exact_match", "pass@1")


def test_items_are_stable_and_of_one_domain(task, source):
    items = task.items(source)
    assert items == tasks.get(task.info.name).items(source)
    assert len({item.key for item in items}) == len({item.id for item in items}) == 12
    assert task.info.domain in ("medical", "general")
    for item, question in zip(items, questions(task, source), strict=True):
        assert item.prompt.rstrip() == item.prompt
        assert item.prompt.endswith(task.prompt(question))
        assert item.context in item.prompt
        assert not item.choices


def test_worked_examples_are_shown_and_never_the_question_itself(task, source):
    for item, question in zip(
        task.items(Source(source.data_dir, limit=3, num_fewshot=2)),
        questions(task, Source(source.data_dir, limit=3)),
        strict=True,
    ):
        asked = task.prompt(question)
        assert item.prompt.count(asked) == 1
        assert len(item.prompt) > len(asked) + 20


@given(text=st.text(max_size=80), stopped=st.sampled_from(["eos", "stop", "length", None]))
def test_any_text_is_read(text, stopped):
    items = {
        "gsm8k": Item("x", "", "3"),
        "math500": Item("x", "", r"\frac12"),
        "bc5cdr": Item("x", "", '[["Chemical", "NO"]]', context="NO and more"),
        "medquad": Item("x", "", "a text"),
        "pubmedqa-conclusion": Item("x", "", "a text", context="context of a text"),
        "humaneval": Item("x", "", "check(f)", context="def f():"),  # not run: no opt-in
    }
    for name, item in items.items():
        reading = tasks.get(name).read(text, item, stopped)
        assert reading.outcome in OUTCOMES
        assert reading.score is None or 0 <= reading.score <= 1
        assert reading.value is not None or not reading.score


def test_a_text_cut_before_its_result_is_truncated(data_dir):
    for name in ("gsm8k", "math500"):
        task = tasks.get(name)
        item = task.items(Source(data_dir, limit=1))[0]
        cut = "First we add $2 + 3 = 5$ eggs, and then we have to take away 4 of"
        reading = task.read(cut, item, "length")
        assert (reading.value, reading.outcome) == (None, "truncated")
        assert task.read(cut, item, "eos").value is not None
        assert task.read(f"The answer is {item.gold}.", item, "length").score == 1.0
        going_on = f"We get $5$\nProblem: what\nQuestion: what of {item.gold}"
        assert task.read(going_on, item, "length").value == "5"


def test_programs_are_not_run_unasked(monkeypatch, data_dir):
    from resect.errors import RequestError

    monkeypatch.delenv(OPT_IN, raising=False)
    for name in ("humaneval", "mbpp"):
        task = tasks.get(name)
        with pytest.raises(RequestError, match="HF_ALLOW_CODE_EVAL"):
            task.items(Source(data_dir))
        reading = task.read("x = 1", Item("x", "", "assert x == 1"))
        assert (reading.tier, reading.score) == ("not run", None)
