"""What every task must keep: stable items, gold among labels, readers that never fail, a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml_task
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy import WHEN_RUN

from resect import Study, tasks
from resect.record import OUTCOMES, Item, RawAnswer
from resect.tasks import Source, readers
from resect.tasks.contract import QuestionTask
from resect.tasks.harness import Harness
from resect.tasks.sandbox.programs import OPT_IN

if WHEN_RUN:
    from resect import run


GOLDEN = Path(__file__).parents[1] / "golden" / "tasks.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
NAMES = [name for name in tasks.TASKS if not name.endswith(":")]
NAMES += ["mmlu:anatomy", "medmcqa:cot", "pubmedqa:cot"]  # what takes an argument, or reasons
HARNESS = ("lm-eval:choices", "lm-eval:words")


@pytest.fixture(scope="session")
def harness(tmp_path_factory) -> dict[str, str]:
    """Names of tasks of the real harness, of YAML files with their questions beside them."""
    pytest.importorskip("lm_eval", reason="lm_eval is not installed: its tasks go unchecked")
    root = tmp_path_factory.mktemp("harness")
    changes = {"choices": {}, "words": yaml_task.WORDS}
    made = {name: yaml_task.write(root, name, **more) for name, more in changes.items()}
    return {f"lm-eval:{name}": f"lm-eval:{path}" for name, path in made.items()}


@pytest.fixture(params=[*NAMES, *HARNESS])
def task(request, monkeypatch):
    monkeypatch.setenv(OPT_IN, "1")  # programs that models write are run here, behind walls
    if request.param in HARNESS:
        return get(request.getfixturevalue("harness")[request.param])
    return get(request.param)


def get(name: str):
    return tasks.get(name, trust_remote_code=True)


@pytest.fixture
def source(task, request) -> Source:
    if task.info.file is None or task.info.name.startswith("lm-eval:"):
        return Source(limit=40)
    return Source(request.getfixturevalue("data_dir"), limit=40)


class TestTask:
    def test_names_itself_and_its_protocol(self, task):
        assert get(task.info.name).info == task.info
        said = task.describe(Source())
        if said.kind != "score":  # a text is scored as it stands
            assert "greedy" in said.protocol
            bare = task.describe(Source(num_fewshot=0)).protocol
            assert ", zero-shot, plain completion, at most" in bare
        assert 0 < said.margin < 1
        assert said.hub is None or said.file is not None

    def test_items_are_stable_and_complete(self, task, source):
        items = task.items(source)
        assert len(items) == 40
        assert items == get(task.info.name).items(source)
        assert len({item.key for item in items}) == len({item.id for item in items}) == 40
        for item in items:
            assert item.prompt.rstrip() == item.prompt
            assert item.tags["length"]
            assert "None" not in item.tags.values()

    def test_a_smaller_limit_is_a_part_of_a_larger(self, task, source):
        ids = [item.id for item in task.items(source)]
        few = [item.id for item in task.items(Source(source.data_dir, limit=10))]
        assert set(few) <= set(ids)

    def test_any_text_is_read(self, task, source):
        if task.info.kind == "score":
            return  # no text is asked for
        item = task.items(source)[0]
        for text in ("", "\0\n", "A", "yes", "I think so.", "x" * 5000, item.prompt):
            for stopped in ("eos", "stop", "length", None):
                reading = task.read(text, item, stopped)
                assert reading.outcome in OUTCOMES
                assert reading.score is None or 0 <= reading.score <= 1

    def test_its_description_names_what_reads_it(self, task, source):
        """So that stored answers need no task: the same reader, whatever the task is called."""
        info = replace(task.describe(source), name="any other")
        reader = readers.of(info)
        assert (type(reader), reader.version) == (type(task.reader), task.reader.version)
        item = task.items(source)[0]
        texts = ("", " A", " yes", " 7", "Diseases: none", "\nFinal answer: no", item.gold or "")
        for text in texts:
            assert reader.read(text, item, "stop") == task.read(text, item, "stop")
        silent = reader.answer(RawAnswer("", None, 0), item)
        assert (silent.value, silent.outcome, silent.score) == (None, "", None)
        stored = readers.again(replace(info, reader=None), task.reader.version)
        kept = task.info.kind in ("code", "score")  # never read anew
        assert (stored is None) if kept else (stored.version == reader.version)

    def test_labels_gold_and_choices(self, task, source):
        if task.info.kind != "label":
            return
        for item in task.items(source):
            means = [item.means.get(label, label) for label in item.labels]
            assert {*item.labels, *means} <= set(task.info.labels)
            assert item.gold in means
            if item.choices:
                assert len(item.choices) == len(item.labels)
                assert all(choice.startswith(" ") for choice in item.choices)
            for label in item.labels:
                reading = task.read(_answering(task, label), item)
                meant = item.means.get(label, label)
                assert reading.score == float(meant == item.gold or _equal(item, label))
                assert reading.value == (item.gold if _equal(item, label) else meant)

    def test_two_worked_examples(self, task, source):
        if task.info.kind == "score":
            return
        bare, shown = (Source(source.data_dir, limit=3, num_fewshot=n) for n in (0, 2))
        for before, after in zip(task.items(bare), task.items(shown), strict=True):
            assert len(after.prompt) > len(before.prompt)
            assert after.prompt.endswith(before.prompt.split("\n\n")[-1])
            assert (after.id, after.gold) == (before.id, before.gold)
        assert ", 2-shot (" in task.describe(shown).protocol


def _answering(task, label: str) -> str:
    return f"Well.\nFinal answer: {label}" if task.info.name.endswith(":cot") else f" {label}"


def _equal(item: Item, label: str) -> bool:
    """Whether a label's option has the words of the gold one."""
    options = item.options or {}
    return label in options and options[label] == options.get(item.gold)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['task']}: {case['text']!r:.30}")
def test_golden(case, monkeypatch):
    monkeypatch.setenv(OPT_IN, "1")
    fields = {"labels": (), "options": None, "question": "", "means": {}, **case["item"]}
    item = Item(id="golden", prompt="", **{**fields, "labels": tuple(fields["labels"])})
    reading = tasks.get(case["task"]).read(case["text"], item, case.get("stopped"))
    assert (reading.value, reading.outcome) == (case["value"], case["outcome"])
    assert reading.score == pytest.approx(case["score"])


def test_every_task_has_golden_cases():
    cases = [case["task"].partition(":")[0] for case in CASES]
    few = [name for name in tasks.TASKS if cases.count(name.removesuffix(":")) < 2]
    assert set(few) == {"wikitext2", "perplexity:"}  # scored, not read
    assert any(case["task"].endswith(":cot") for case in CASES)


def test_every_class_of_the_table_is_proven_a_task():
    """mypy holds these two to the contract (`resect.tasks._PROOF`); all others inherit."""
    classes = map(tasks._class, tasks.TASKS)
    assert {one for one in classes if not issubclass(one, QuestionTask)} == {Harness}


def test_every_task_runs_to_its_end(data_dir, harness, tmp_path, monkeypatch):
    """On the embedded specialist, whose positions cut long prompts: degraded, but whole."""
    monkeypatch.setenv(OPT_IN, "1")
    names = [*NAMES, *harness.values()]
    found = run(
        Study.of(
            models={"specialist": "clinic:specialist"},
            recipes=[],
            tasks=names,
            data_dir=str(data_dir),
            limit=8,
            max_new_tokens=16,
            resamples=100,
        ),
        tmp_path / "run",
        trust_remote_code=True,
    )
    with found.reading() as store:
        cells = store.cells()
    assert set(cells["status"]) <= {"success", "degraded"}
    assert dict(zip(cells["task"], cells["n"], strict=True)) == dict.fromkeys(names, 8)
    summary = found.summary()
    for row in summary["tasks"]:
        assert row["n"] == 8, row["name"]
        assert row["protocol"].count("greedy") == (row["kind"] != "score")
    shown = {row["task"] for row in summary["curves"]}
    assert shown == set(names)


@given(text=st.text(max_size=80))
@settings(max_examples=50, deadline=None)
def test_any_generated_text_is_read(text):
    for name in ("clinic-context", "clinic-medicine", "clinic-medicine:cot"):
        task = tasks.get(name)
        for stopped in ("length", "eos"):
            reading = task.read(text, task.items(Source(limit=1))[0], stopped)
            assert reading.outcome in OUTCOMES
            assert reading.score in (0.0, 1.0)
