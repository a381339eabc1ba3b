"""Counts, gold labels and ten rows of every task, against the released files read on their own."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from resect import tasks
from resect.record import ABSTAIN, Item
from resect.tasks import Source, medmcqa, mmlu
from resect.tasks.contract import chosen

Row = dict[str, Any]


class Release(NamedTuple):
    """What a task's items are made of: file, rows kept, gold counts, and a row's parts."""

    file: str
    kept: Callable[[Row], bool]
    gold: dict[str, int]
    parts: Callable[[Row], list[str]]
    right: Callable[[Row], str]


def _all(row: Row) -> bool:
    return True


def _asked(row: Row) -> list[str]:
    return [row["question"], *row["options"]]


def _answer(row: Row) -> str:
    return row["options"]["ABCDE".index(row["answer"])]


MEDICAL = {
    "anatomy": 135,
    "clinical_knowledge": 265,
    "college_biology": 144,
    "college_medicine": 173,
    "medical_genetics": 100,
    "professional_medicine": 272,
}
LOGIC = {"formal_logic": 126, "logical_fallacies": 163, "global_facts": 100}
RELEASES = {
    "pubmedqa": Release(
        "pubmedqa_pqal.jsonl.gz",
        _all,
        {"yes": 552, "no": 338, "maybe": 110},
        lambda row: [row["question"], *row["contexts"]],
        lambda row: row["final_decision"],
    ),
    "pubmedqa-test": Release(
        "pubmedqa_pqal.jsonl.gz",
        lambda row: row["split"] == "test",
        {"yes": 276, "no": 169, "maybe": 55},
        lambda row: [row["question"], "\n".join(row["contexts"])],
        lambda row: row["final_decision"],
    ),
    "bioasq-yesno": Release(
        "bioasq_yesno.jsonl.gz",
        _all,
        {"yes": 395, "no": 223},
        lambda row: [row["question"], *(text.strip() for text in row["contexts"])],
        lambda row: row["answer"],
    ),
    "medqa": Release(
        "medqa_usmle_5opt_test.jsonl.gz",
        _all,
        {"A": 273, "B": 277, "C": 252, "D": 269, "E": 202},
        _asked,
        lambda row: row["answer_text"],
    ),
    "medqa-4": Release(
        "medqa_usmle_4opt_test.jsonl.gz",
        _all,
        {"A": 353, "B": 309, "C": 346, "D": 265},
        _asked,
        lambda row: row["answer_text"],
    ),
    "medmcqa": Release(
        "medmcqa_dev.jsonl.gz",
        _all,
        {"A": 1348, "B": 1085, "C": 925, "D": 825},
        _asked,
        _answer,
    ),
    "mmlu-medical": Release(
        "mmlu_test.jsonl.gz",
        lambda row: row["subject"] in MEDICAL,
        {"A": 235, "B": 254, "C": 248, "D": 352},
        lambda row: [row["question"].strip(), *row["options"]],
        _answer,
    ),
    "mmlu-logic": Release(
        "mmlu_test.jsonl.gz",
        lambda row: row["subject"] in LOGIC,
        {"A": 90, "B": 96, "C": 101, "D": 102},
        lambda row: [row["question"].strip(), *row["options"]],
        _answer,
    ),
    "truthfulqa": Release(
        "truthfulqa.jsonl.gz",
        _all,
        {},  # drawn by seed: see test_places_of_the_true_answer
        lambda row: [row["question"], row["best_answer"], *row["incorrect_answers"]],
        lambda row: row["best_answer"],
    ),
    "medhallu": Release(
        "medhallu_pqal.jsonl.gz",
        _all,
        {"A": 1000, "B": 1000},
        lambda row: [row["question"], row["correct_answer"], row["hallucinated_answer"]],
        lambda row: row["correct_answer"],
    ),
    "medhallu-detect": Release(
        "medhallu_pqal.jsonl.gz",
        _all,
        {"no": 1000, "yes": 1000},
        lambda row: [row["question"], row["correct_answer"], *row["contexts"]],
        lambda row: "no",
    ),
    "medhalt-fake": Release(
        "medhalt_fake_questions.jsonl.gz",
        lambda row: bool(row["abstain_labels"]),
        {ABSTAIN: 1857},
        _asked,
        lambda row: ABSTAIN,
    ),
    "healthver": Release(
        "healthver.jsonl.gz",
        lambda row: row["split"] == "test",
        {"Neutral": 727, "Supports": 671, "Refutes": 425},
        lambda row: [row["claim"], row["evidence"]],
        lambda row: row["label"],
    ),
}
STATED = {  # what the README of the data says, word for word
    "pubmedqa": "1000 = 552 yes, 338 no, 110 maybe; test 500 = 276, 169, 55",
    "medqa": "5 options 0.2176 (B, 277 of 1273), 4 options 0.2773 (A, 353)",
    "medmcqa": "4183 questions; largest share 0.3223 (A, 1348); 2816 single, 1367 multi",
    "bioasq-yesno": "618 questions (395 yes, 223 no)",
    "healthver": "dev 1917, test 1823",
    "truthfulqa": "817 questions, 38 categories",
    "medhallu": "274 easy, 318 medium, 408 hard",
}


def rows_of(data_dir: Path, release: Release) -> list[Row]:
    with gzip.open(data_dir / release.file, "rt", encoding="utf-8") as file:
        return [row for row in map(json.loads, file) if release.kept(row)]


@pytest.mark.parametrize("name", RELEASES)
def test_counts_and_ten_rows(name, data_dir):
    release = RELEASES[name]
    rows, items = rows_of(data_dir, release), tasks.get(name).items(Source(data_dir))
    if name.startswith("mmlu"):  # subject by subject, where the file may have another order
        order = {subject: i for i, subject in enumerate(MEDICAL | LOGIC)}
        rows.sort(key=lambda row: order[row["subject"]])
        items.sort(key=lambda item: order[item.tags["subject"]])
    twice = len(items) // len(rows)
    assert len(items) == twice * len(rows)
    if release.gold:
        assert Counter(item.gold for item in items) == release.gold
    for at in range(0, len(rows), len(rows) // 10)[:10]:
        row, item = rows[at], items[at * twice]
        assert all(part in item.prompt for part in release.parts(row)), item.id
        assert _meaning(item) == release.right(row), item.id


def _meaning(item: Item) -> str:
    """The text of the gold option, or the gold label where it has none."""
    return (item.options or {}).get(str(item.gold), str(item.gold))


@pytest.mark.parametrize("name", STATED)
def test_the_readme_says_the_same(name, data_dir):
    assert STATED[name] in (data_dir / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_subject_of_mmlu(data_dir):
    with gzip.open(data_dir / "mmlu_test.jsonl.gz", "rt", encoding="utf-8") as file:
        counts = Counter(json.loads(line)["subject"] for line in file)
    assert sorted(mmlu.SUBJECTS) == sorted(counts)
    assert sum(counts.values()) == 14042
    stated = (data_dir / "README.md").read_text(encoding="utf-8")
    for subject, n in (MEDICAL | LOGIC).items():
        assert f"{subject} {n}" in stated
        assert len(tasks.get(f"mmlu:{subject}").items(Source(data_dir))) == counts[subject] == n


def test_medmcqa_counts_from_nought(data_dir):
    """The known row is right by medicine: impulses are faster in myelinated fibres."""
    items = {item.id: item for item in tasks.get("medmcqa").items(Source(data_dir))}
    ((known, gold),) = medmcqa.KNOWN.items()
    item = items[f"medmcqa/{known}"]
    assert (item.gold, gold) == ("A", "A")
    assert item.options["A"] == (
        "Impulse through myelinated fibers is slower than non-myelinated fibers"
    )
    assert Counter(i.tags["choice_type"] for i in items.values()) == {"single": 2816, "multi": 1367}


class Everything(mmlu.Subjects):
    """All 57 subjects at once."""

    info = tasks.get("mmlu:anatomy").info
    topics = dict.fromkeys(mmlu.SUBJECTS, "any")


@pytest.mark.parametrize(
    ("task", "equal", "gold"), [(tasks.get("medmcqa"), 21, 6), (Everything(), 9, 4)]
)
def test_of_equal_options_either_is_right(task, equal, gold, data_dir):
    """`equal` rows hold two equal options; in `gold` of them these are the right ones."""
    items = [i for i in task.items(Source(data_dir)) if len(set(i.options.values())) < 4]
    twins = 0
    for item in items:
        for label, text in item.options.items():
            reading = task.read(f" {label}", item)
            same = text == item.options[item.gold]
            assert (reading.value == item.gold) == same == (reading.score == 1.0)
            scores = [-1.0 if x == label else -2.0 for x in item.labels]
            assert (chosen(item, scores, "letter") == item.gold) == same
            twins += same and label != item.gold
    assert (len(items), twins) == (equal, gold)


def test_places_of_the_true_answer(data_dir):
    """Among questions with k options each place is right for 1/k of them, but for one block."""
    task = tasks.get("truthfulqa")
    items = task.items(Source(data_dir))
    places: dict[int, Counter[str]] = {}
    for item in items:
        places.setdefault(len(item.labels), Counter())[item.gold] += 1
    for k, counts in places.items():
        most = max(counts.values())
        least = min(counts[label] for label in "ABCDEFGHIJKLM"[:k])
        assert most - least <= 1, k
    assert Counter(len(item.labels) for item in items)[4] == 218
    other = task.items(Source(data_dir, seed=1))
    assert [item.options for item in other] != [item.options for item in items]
    assert {item.tags["type"] for item in items} == {"Adversarial", "Non-Adversarial"}
    assert len({item.tags["category"] for item in items}) == 38


def test_both_orders_are_one_cluster(data_dir):
    items = tasks.get("medhallu").items(Source(data_dir))
    for one, other in zip(items[::2], items[1::2], strict=True):
        assert one.parent == other.parent
        assert list(one.options.values()) == list(other.options.values())[::-1]
        assert (one.gold, other.gold) == ("A", "B")
    difficulty = Counter(item.tags["difficulty"] for item in items)
    assert difficulty == {"easy": 548, "medium": 636, "hard": 816}


def test_abstaining_is_right_whatever_its_letter(data_dir):
    task = tasks.get("medhalt-fake")
    items = task.items(Source(data_dir))
    letters = Counter(label for item in items for label in item.means)
    assert max(letters.values()) < 0.3 * len(items)  # no letter gives it away
    with_two = next(item for item in items if len(item.means) == 2)
    for label in with_two.labels:
        assert task.read(f" {label}", with_two).score == float(label in with_two.means)
    assert all(re.search("know|conced|admit|ignor|acknowl|surren", with_two.options[x], re.I)
               for x in with_two.means)  # fmt: skip


def test_tags_to_slice_by(data_dir):
    tags = {
        "medqa": {"step": {"step1", "step2&3"}},
        "medqa-4": {"step": {"step1", "step2&3"}},
        "mmlu-lobotomy": {"topic": {"logic", "medical"}},
        "medhallu": {"difficulty": {"easy", "medium", "hard"}},
        "bioasq-yesno": {"challenge": {"7B", "8B", "9B", "10B", "11B"}},
    }
    for name, wanted in tags.items():
        items = tasks.get(name).items(Source(data_dir))
        for tag, values in wanted.items():
            assert {item.tags[tag] for item in items} == values
    subjects = {item.tags["subject"] for item in tasks.get("medmcqa").items(Source(data_dir))}
    assert len(subjects) == 21
