"""The releases behind the tasks without labels: counts, splits, reference programs."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from resect import tasks
from resect.parse import code
from resect.sandbox import programs
from resect.tasks import Source, medquad
from resect.tasks.programs import HumanEval

COUNTS = {"gsm8k": 1319, "math500": 500, "humaneval": 164, "mbpp": 257, "ncbi-disease": 940,
          "bc5cdr": 4797, "pubmedqa-conclusion": 1000}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name, data_dir):
    found = list(tasks.get(name).questions(Source(data_dir)))
    assert len(found) == COUNTS[name]
    assert len({question.id for question in found}) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "mentions"),
    [("ncbi-disease", {"Disease": 960}), ("bc5cdr", {"Chemical": 5385, "Disease": 4424})],
)
def test_mentions_of_the_test_sentences(name, mentions, data_dir):
    rows = [row for row in tasks.get(name).rows.read(Source(data_dir)) if row["split"] == "test"]
    assert Counter(e["type"] for row in rows for e in row["entities"]) == mentions
    gold = [json.loads(q.gold) for q in tasks.get(name).questions(Source(data_dir))]
    wanted = [{(e["type"], e["text"]) for e in row["entities"]} for row in rows]
    assert [{tuple(pair) for pair in pairs} for pairs in gold] == wanted


def test_medquad_holds_out_topics_and_leaves_the_others_to_training(data_dir):
    source = Source(data_dir)
    held = list(tasks.get("medquad").questions(source))
    rest = list(tasks.get("medquad").training(source))
    assert len(held) == 1593
    assert len(held) + len(rest) <= 16407
    assert 0.08 < len(held) / (len(held) + len(rest)) < 0.12
    assert not {f"Question: {q.question}\nAnswer: {q.gold}" for q in held} & set(rest)
    assert medquad.held_out("Leukemia ") == medquad.held_out("leukemia")


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_reference_programs_pass_and_wrong_ones_fail(name, data_dir, monkeypatch):
    """All of them in one jail, each in names of its own; one by one a few."""
    monkeypatch.setenv(programs.OPT_IN, "1")
    task = tasks.get(name)
    found = list(task.questions(Source(data_dir)))
    whole = []
    for question in found:
        shown = task.shown(question).split("[DONE]")[0]
        made, _ = code.program(shown, question.context, question.question)
        whole.append(f"{made}\n{question.gold}\n")
    every = f"for source in {whole!r}:\n    exec(source, {{'__name__': 'alone'}})"
    assert programs.run(every, seconds=120).how == "passed"
    item = task.items(Source(data_dir, limit=1))[0]
    right = task.read(task.shown(found[0]), item, "stop")
    assert (right.score, right.tier) == (1.0, "passed")
    bad = "\n    return None" if isinstance(task, HumanEval) else "\ndef remove_Occ(s, c):\n  pass"
    wrong = task.read(bad, item, "stop")
    assert (wrong.score, wrong.tier) == (0.0, "assertion")
    prose = task.read("\nThis function is hard to write, and I will not.", item, "stop")
    assert (prose.value, prose.score) == (None, 0.0)
    cut = task.read("\n    return [x for x in", item, "length")
    assert (cut.value, cut.outcome) == (None, "truncated")
