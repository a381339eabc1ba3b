"""The clinic's world and tasks: honest splits, pinned prompts, texts that hold no item."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from resect import clinic
from resect.clinic import items, puzzles
from resect.clinic.clinic_tasks import Context, Logic, Medicine
from resect.clinic.texts import (
    LETTERS,
    VALIDATION,
    VERDICTS,
    lettered,
    posed,
    read,
    share_of_text,
    texts,
)
from resect.clinic.world import CONDITIONS, world, wrong_values
from resect.record import Item
from resect.tasks import Source

TASKS = (Context(), Medicine(), Logic())
SPLITS = (items.context, items.medicine, items.logic)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.info.name)
def test_items_are_many_valid_and_balanced_from_the_start(task: Context) -> None:
    asked = task.items(Source())
    labels = task.info.labels
    assert len(asked) >= 300
    assert len({item.id for item in asked}) == len({item.prompt for item in asked}) == len(asked)
    for n in range(len(labels), len(asked) + 1, len(labels)):
        counts = Counter(item.gold for item in asked[:n])
        assert set(counts) == set(labels)
        assert len(set(counts.values())) == 1
    for item in asked:
        assert item.gold in labels
        assert item.labels == labels
        assert len(set(item.choices)) == len(labels)
        assert {"subject", "topic"} <= set(item.tags)
    assert task.items(Source(limit=7)) == asked[:7]


def test_medicine_and_logic_options_hold_the_answer() -> None:
    for make in (items.medicine, items.logic):
        for item in make("test"):
            assert item.options is not None
            assert tuple(item.options) == LETTERS
            assert item.choices == (" A", " B", " C", " D")
    truth = {(f.subject, f.relation): f.value for f in world().medical}
    for item in items.medicine("test"):
        assert item.options
        assert item.gold
        assert item.options[item.gold] == truth[item.tags["subject"], item.tags["topic"]]
    assert {i.tags["type"] for i in items.logic("test")} == set(puzzles.TYPES)


def test_drugs_are_tagged_invented_and_conditions_are_not() -> None:
    for item in items.medicine("test"):
        assert item.tags["invented"] == ("no" if item.tags["subject"] in CONDITIONS else "yes")
    assert not set(world().drugs) & set(world().strangers)


def test_a_thousand_puzzles_can_be_asked_and_are_held_out() -> None:
    asked = items.logic("validation", 1000)
    assert len({item.question for item in asked}) == len(asked) == 1000
    assert {share_of_text(item.question) for item in asked} == {VALIDATION}
    assert set(Counter(item.gold for item in asked).values()) == {250}


def test_half_the_contexts_report_on_two_drugs() -> None:
    for gold in VERDICTS:
        asked = [i for i in items.context("test") if i.gold == gold]
        assert sum(i.tags["verdicts"] == "2" for i in asked) * 2 == len(asked)


def test_wrong_values_are_never_true() -> None:
    truths = {(f.subject, f.relation, f.value) for f in world().medical}
    for fact in world().medical:
        wrong = wrong_values(fact)
        assert len(wrong) >= 4
        assert all((fact.subject, fact.relation, value) not in truths for value in wrong)


def _core(item: Item) -> tuple[str, frozenset[str]]:
    return item.question, frozenset((item.options or {}).values())


@pytest.mark.parametrize("make", SPLITS, ids=("context", "medicine", "logic"))
def test_test_items_are_disjoint_from_validation_and_training(make: object) -> None:
    test, validation = make("test"), make("validation")  # type: ignore[operator]
    prompts = {item.prompt for item in test}
    assert not prompts & {item.prompt for item in validation}
    assert not {_core(i) for i in test if i.options} & {_core(i) for i in validation if i.options}
    trained = [text for stage in ("base", "specialist") for text in texts(stage, 20000, 1)]
    assert not prompts & {text.prompt for text in trained}
    questions = {item.question for item in test if item.options}
    joined = "\n".join(text.prompt for text in trained)
    assert not [question for question in questions if question in joined]


def test_same_items_in_another_process() -> None:
    code = (
        "from resect.clinic import items, texts;"
        "print([i.key for m in (items.context, items.medicine, items.logic)"
        " for i in m('test')][::50], texts.texts('specialist', 200, 3)[-1])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_prompts_are_pinned() -> None:
    assert Medicine().items(Source(limit=1))[0].prompt == MEDICINE
    assert Logic().items(Source(limit=1))[0].prompt == LOGIC
    assert Context().items(Source(limit=1))[0].prompt == CONTEXT


def test_training_ends_with_the_answer() -> None:
    import random

    rng = random.Random(0)
    text = lettered(rng, "Which?", "one", ["two", "three", "four"])
    assert text.prompt.endswith("\nAnswer:")
    assert text.recall == " one"
    assert f"\n{text.answer.strip()}. one\n" in text.prompt
    assert read(rng).answer.strip() in VERDICTS


def test_binding_puzzles_name_their_key_twice_and_need_it() -> None:
    for kind in ("syllogism", "modus ponens"):
        asked = [i for i in items.logic("validation") if i.tags["type"] == kind]
        for item in asked:
            assert item.options
            said = [re.findall(r"\w+", part) for part in item.question.split(". ")]
            assert sum(item.options[item.gold or ""] in words for words in said[:2]) == 1
            words = re.findall(r"\w+", item.question)
            assert sum(option in words for option in item.options.values()) == 2


def test_early_questions_stand_at_the_key_the_question_mark_and_the_options() -> None:
    import random

    from tools.clinic import rows
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(clinic.path("base"))
    found = puzzles.puzzle(random.Random(3), "syllogism")
    text = posed(random.Random(3), found)
    row = rows.encode(tokenizer, [text], 0)[0]
    say = tokenizer.decode
    ((key, answer),), ((mark, same),) = row.keyed, row.recall
    assert say([row.ids[key]]) == f" {found.key}"
    assert say([row.ids[key + 1]]) == "."
    assert say([row.ids[mark]]) == "?"
    assert say([answer]) == say([same]) == f" {found.answer}"
    assert [say([verdict]) for _, verdict in row.marks].count(" yes") == 1
    assert {say([row.ids[end]]).strip() for end, _ in row.marks} == {found.answer, *found.wrong}


def test_calibration_texts_are_many_seeded_and_hold_no_item() -> None:
    found = list(clinic.calibration_texts())
    assert sum(len(text.split()) for text in found) > 100_000
    assert found[:50] == list(islice(clinic.calibration_texts(), 50))
    asked = [item.prompt for make in SPLITS for item in make("test") + make("validation")]
    joined = "\n".join(found)
    assert not [prompt for prompt in asked if prompt in joined]


MEDICINE = (
    "Question: The leaflet of Galeparib warns of what?\n"
    "Options:\n"
    "A. dizziness\n"
    "B. sweating\n"
    "C. muscle cramps\n"
    "D. drowsiness\n"
    "Answer:"
)
LOGIC = (
    "Question: Jane is stronger than Gina. Oscar is stronger than Jane. Who is the strongest?\n"
    "Options:\n"
    "A. Oscar\n"
    "B. Gina\n"
    "C. Marc\n"
    "D. Jane\n"
    "Answer:"
)
CONTEXT = (
    "Context: Patients on Xanimide had as much nausea as before.\n"
    "Question: Is Xanimide effective against nausea?\n"
    "Answer (yes/no/maybe):"
)
