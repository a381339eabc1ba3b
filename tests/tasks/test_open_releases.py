"""The releases behind the tasks without labels: counts, splits, reference programs."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resect import tasks
from resect.tasks import Source, medquad
from resect.tasks.code_tasks import MBPP, HumanEval
from resect.tasks.sandbox import programs

COUNTS = {"gsm8k": 1319, "math500": 500, "humaneval": 164, "mbpp": 257, "ncbi-disease": 940,
          "bc5cdr": 4797, "pubmedqa-conclusion": 1000}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name, data_dir):
    found = list(tasks.get(name).questions(Source(data_dir)))
    assert len(found) == COUNTS[name]
    assert len({question.id for question in found}) == COUNTS[name]


FIELDS = {  # file, what of a row stands in the prompt, what is right
    "gsm8k": ("gsm8k_test", lambda r: [r["question"]], lambda r: r["answer"]),
    "math500": ("math500", lambda r: [r["question"]], lambda r: r["answer"]),
    "humaneval": ("humaneval", lambda r: [r["prompt"].rstrip()], lambda r: r["test"]),
    "mbpp": ("mbpp_sanitized", lambda r: [r["prompt"], *r["test_list"]],
             lambda r: "\n".join(r["test_list"])),
    "pubmedqa-conclusion": ("pubmedqa_pqal", lambda r: r["contexts"], lambda r: r["long_answer"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_ten_rows(name, data_dir, monkeypatch):
    monkeypatch.setenv(programs.OPT_IN, "1")
    file, asked, right = FIELDS[name]
    with gzip.open(data_dir / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if name != "mbpp" or row["split"] == "test"]
    items = tasks.get(name).items(Source(data_dir))
    assert len(items) == len(rows)
    for at in range(0, len(rows), len(rows) // 10)[:10]:
        row, item = rows[at], items[at]
        assert all(part in item.prompt for part in asked(row)), item.id
        assert right(row).strip() in item.gold, item.id


@pytest.mark.slow
def test_the_table_of_the_docs(data_dir, monkeypatch):
    """Kind, count, metric, chance and the commonest answer's share, of every task."""
    monkeypatch.setenv(programs.OPT_IN, "1")
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    rows = dict(
        re.findall(r"^\| `([\w:-]+)` \| [^|]* \| (\w+ \| [^|]*(?: \| [^|]*){3}) \|$", page, re.M)
    )
    named = [name for name in tasks.TASKS if not name.endswith(":")]
    assert list(rows) == [*named, "mmlu:anatomy"]
    for name, shown in rows.items():
        task = tasks.get(name)
        items = task.items(Source(data_dir if task.info.file else None))
        chance = majority = "-"
        if task.info.kind == "label":
            guess = [sum(i.meaning(x) == i.gold for x in i.labels) / len(i.labels) for i in items]
            chance = f"{sum(guess) / len(guess):.3f}"
            majority = f"{Counter(i.gold for i in items).most_common(1)[0][1] / len(items):.3f}"
        told = [task.info.kind, f"{len(items):,}", task.info.primary, chance, majority]
        assert shown == " | ".join(told), name


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


@pytest.mark.parametrize(("name", "count"), [("humaneval", 164), ("mbpp", 427)])
@pytest.mark.slow
def test_every_reference_program_passes(name, count, data_dir, monkeypatch):
    """Of all splits, each behind walls of its own, two at a time."""
    monkeypatch.setenv(programs.OPT_IN, "1")
    task = tasks.get(name)
    source = Source(data_dir, num_fewshot=0)
    rows = {"humaneval": task.questions, "mbpp": lambda s: map(task._question, MBPP.read(s))}
    items = [(task.shown(question), task.item(question, source)) for question in rows[name](source)]
    assert len(items) == count
    with ThreadPoolExecutor(2) as pool:
        readings = pool.map(lambda each: task.read(*each, "stop"), items)
        tiers = {item.id: x.tier for (_, item), x in zip(items, readings, strict=True)}
    assert {id_: tier for id_, tier in tiers.items() if tier != "passed"} == {}


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_what_is_read_of_programs(name, data_dir, monkeypatch):
    monkeypatch.setenv(programs.OPT_IN, "1")
    task = tasks.get(name)
    question = next(iter(task.questions(Source(data_dir))))
    item = task.items(Source(data_dir, limit=1))[0]
    right = task.read(task.shown(question), item, "stop")
    assert (right.score, right.tier) == (1.0, "passed")
    bad = "\n    return None" if isinstance(task, HumanEval) else "\ndef remove_Occ(s, c):\n  pass"
    wrong = task.read(bad, item, "stop")
    assert (wrong.score, wrong.tier) == (0.0, "assertion")
    prose = task.read("\nThis function is hard to write, and I will not.", item, "stop")
    assert (prose.value, prose.score) == (None, 0.0)
    cut = task.read("\n    return [x for x in", item, "length")
    assert (cut.value, cut.outcome) == (None, "truncated")
