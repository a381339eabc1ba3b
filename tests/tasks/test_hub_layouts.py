"""Datasets in the layout the hub has today, read by `datasets` itself, become the offline items."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lazy import WHEN_RUN

from resect import tasks
from resect.errors import RequestError
from resect.tasks import (
    Source,
    code_tasks,
    gsm8k,
    math500,
    medhallu,
    medhalt,
    medmcqa,
    medqa,
    medquad,
    mmlu,
    pubmedqa,
    truthfulqa,
)
from resect.tasks.sandbox.programs import OPT_IN

if WHEN_RUN:
    datasets = pytest.importorskip("datasets")

Row = dict[str, Any]


class Layout(NamedTuple):
    """Where a task's rows are declared, and an offline row as the hub has it."""

    module: Any
    name: str
    back: Callable[[Row], Row]


def _letter(row: Row) -> int:
    return "ABCD".index(row["answer"])


LAYOUTS = {
    "pubmedqa-test": Layout(
        pubmedqa,
        "ROWS",
        lambda row: {
            "pubid": int(row["id"]),
            "question": row["question"],
            "context": {
                "contexts": row["contexts"],
                "labels": row["section_labels"],
                "meshes": row["mesh"],
                "reasoning_required_pred": [],
                "reasoning_free_pred": [],
            },
            "long_answer": row["long_answer"],
            "final_decision": row["final_decision"],
        },
    ),
    "medqa-4": Layout(
        medqa,
        "FOUR",
        lambda row: {
            "question": row["question"],
            "answer": row["answer_text"],
            "options": dict(zip("ABCD", row["options"], strict=True)),
            "meta_info": row["step"],
            "answer_idx": row["answer"],
            "metamap_phrases": ["a", "b"],
        },
    ),
    "medmcqa": Layout(
        medmcqa,
        "ROWS",
        lambda row: {
            "id": row["id"],
            "question": row["question"],
            **dict(zip(("opa", "opb", "opc", "opd"), row["options"], strict=True)),
            "cop": _letter(row),
            "choice_type": row["choice_type"],
            "exp": row["explanation"],
            "subject_name": row["subject"],
            "topic_name": row["topic"],
        },
    ),
    "mmlu:anatomy": Layout(
        mmlu,
        "TEST",
        lambda row: {
            "question": row["question"],
            "subject": row["subject"],
            "choices": row["options"],
            "answer": _letter(row),
        },
    ),
    "truthfulqa": Layout(
        truthfulqa,
        "ROWS",
        lambda row: {
            "question": row["question"],
            "mc1_targets": {
                "choices": [row["best_answer"], *row["incorrect_answers"]],
                "labels": [1] + [0] * len(row["incorrect_answers"]),
            },
            "mc2_targets": {"choices": row["correct_answers"], "labels": [1]},
        },
    ),
    "medhallu": Layout(
        medhallu,
        "ROWS",
        lambda row: {
            "Question": row["question"],
            "Knowledge": row["contexts"],
            "Ground Truth": row["correct_answer"],
            "Difficulty Level": row["difficulty"],
            "Hallucinated Answer": row["hallucinated_answer"],
            "Category of Hallucination": row["category"],
        },
    ),
    "medhalt-fake": Layout(
        medhalt,
        "ROWS",
        lambda row: {
            "id": row["id"],
            "subject_name": row["subject"],
            "topic_name": row["topic"],
            "split_type": "train",
            "dataset": row["origin"],
            "question": row["question"],
            "options": str({str(n): text for n, text in enumerate(row["options"])}),
        },
    ),
    "gsm8k": Layout(
        gsm8k,
        "TEST",
        lambda row: {
            "question": row["question"],
            "answer": f"{row['solution']}\n#### {row['answer']}",
        },
    ),
    "math500": Layout(
        math500,
        "ROWS",
        lambda row: {
            "problem": row["question"],
            "solution": row["solution"],
            "answer": row["answer"],
            "subject": "Algebra",
            "level": 3,
            "unique_id": row["id"],
        },
    ),
    "humaneval": Layout(
        code_tasks,
        "HUMANEVAL",
        lambda row: {
            "task_id": row["id"],
            **{k: row[k] for k in ("prompt", "canonical_solution", "test", "entry_point")},
        },
    ),
    "mbpp": Layout(
        code_tasks,
        "MBPP",
        lambda row: {
            "source_file": "Benchmark Questions",
            "task_id": int(row["id"].removeprefix("mbpp-")),
            "prompt": row["prompt"],
            "code": row["solution"],
            "test_imports": row["test_imports"],
            "test_list": row["test_list"],
        },
    ),
    "medquad": Layout(
        medquad,
        "ROWS",
        lambda row: {
            "document_id": row["id"].partition(":")[2].rpartition("-")[0],
            "document_source": row["source"],
            "document_url": row["url"],
            "category": None,
            "question_id": row["id"].partition(":")[2],
            "question_focus": row["focus"],
            "question_type": row["qtype"],
            "question": row["question"],
            "answer": row["answer"],
        },
    ),
}


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Callable[[Layout, list[Row], str | None], None]:
    """Writes rows as a dataset in the hub's layout and points a task at it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()

    def write(layout: Layout, rows: list[Row], config: str | None) -> None:
        where = getattr(layout.module, layout.name)
        name, split = config or "default", where.split
        (tmp_path / "set" / name).mkdir(parents=True)
        path = f"{name}/{split}-00000-of-00001.parquet"
        datasets.Dataset.from_list(rows).to_parquet(tmp_path / "set" / path)
        card = "---\nconfigs:\n- config_name: {}\n  data_files:\n  - split: {}\n    path: {}\n---\n"
        (tmp_path / "set" / "README.md").write_text(card.format(name, split, path))
        here = replace(where, hub=str(tmp_path / "set"))
        monkeypatch.setattr(layout.module, layout.name, here)
        if layout.module is medqa:
            monkeypatch.setattr(medqa.FourOptions, "rows", here)

    return write


def _rows(data_dir: Path, layout: Layout, wanted: Callable[[Row], bool]) -> Iterator[Row]:
    file = getattr(layout.module, layout.name).file
    with gzip.open(data_dir / file, "rt", encoding="utf-8") as lines:
        yield from filter(wanted, map(json.loads, lines))


@pytest.mark.parametrize("name", LAYOUTS)
def test_hub_rows_become_the_offline_items(name, data_dir, hub, monkeypatch):
    layout = LAYOUTS[name]
    subject = name.partition(":")[2]
    rows = list(_rows(data_dir, layout, lambda row: not subject or row["subject"] == subject))
    kept = rows if name == "medhalt-fake" else rows[:200]  # its labels are found by wording
    config = subject or getattr(layout.module, layout.name).config
    monkeypatch.setenv(OPT_IN, "1")
    bare = Source(num_fewshot=0)  # worked examples may be of another split
    if name == "mbpp":
        kept = [row for row in rows if row["split"] == "test"][:200]
    offline = tasks.get(name).items(replace(bare, data_dir=data_dir))
    hub(layout, [layout.back(row) for row in kept], config)
    online = tasks.get(name).items(bare)
    assert online
    if name == "medhallu":  # which has no ids on the hub
        online = [replace(item, id="", parent="") for item in online]
        offline = [replace(item, id="", parent="") for item in offline]
    assert [item.key for item in online] == [item.key for item in offline[: len(online)]]


def test_a_wrong_index_base_is_one_sentence(data_dir, hub):
    """Copies that count from 1 show a 4 somewhere; one that does not is caught by a known row."""
    layout = LAYOUTS["medmcqa"]
    rows = [layout.back(row) for row in _rows(data_dir, layout, lambda row: True)][:50]
    shifted = [{**row, "cop": row["cop"] + 1} for row in rows]
    hub(layout, [row for row in shifted if row["cop"] < 4], None)
    wrong = r"does not number its answers from 0 to 3.*the answer to 45258d3d"
    with pytest.raises(RequestError, match=wrong):
        tasks.get("medmcqa").items(Source())
    with pytest.raises(RequestError, match=r"does not number its answers from 0 to 3.*cop 4"):
        medmcqa._convert(next(row for row in shifted if row["cop"] == 4), 7)
    with pytest.raises(RequestError, match="cop -1"):  # the test split hides its answers
        medmcqa._convert({**rows[0], "cop": -1}, 7)


def test_a_missing_column_is_one_sentence(data_dir, hub):
    layout = LAYOUTS["medmcqa"]
    rows = [layout.back(row) for row in _rows(data_dir, layout, lambda row: True)][:5]
    hub(layout, [{k: v for k, v in row.items() if k != "cop"} for row in rows], None)
    with pytest.raises(RequestError, match=r"no usable column 'cop'.*--data_dir"):
        tasks.get("medmcqa").items(Source())


def test_a_set_without_a_copy_on_the_hub_needs_its_file():
    with pytest.raises(RequestError, match=r"medqa_usmle_5opt_test.jsonl.gz.*--data_dir"):
        tasks.get("medqa").items(Source())


def test_pinned_commits_are_whole():
    for info in tasks.listed():
        assert info.revision is None or len(info.revision) == 40
        assert info.hub is None or info.name == "medhallu" or info.name == "medhallu-detect" or (
            info.revision
        )  # fmt: skip
