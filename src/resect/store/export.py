"""A run's answers for other tools: CSV, Parquet, or the sample files of lm-evaluation-harness.

CSV is the plain format that `resect audit` reads back; so are the lm-eval files.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from resect.errors import RequestError, unknown
from resect.record import Item, TaskInfo
from resect.store.sqlite import Store

FORMATS = ("csv", "parquet", "lm-eval")
_CELL = ["model", "role", "treatment", "seed", "level"]
_READ = ("answer", "outcome", "tier", "score", "chosen")
_LISTED = ("options", "labels", "means", "choices", "option_scores", "tags")


def export(store: Store, to: str, out: Path) -> list[Path]:
    """Write the run into the folder `out`; the files written. Raises `RequestError`."""
    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    if to == "parquet" and not find_spec("pyarrow"):
        raise RequestError("parquet needs pyarrow: pip install 'resect[parquet]'.")
    answers = store.answers()
    if not len(answers):
        raise RequestError("the run has no answers yet: nothing to export.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if to == "lm-eval":
            return list(_lm_eval(store, answers, out))
        return list(_tables(store, answers, to, out))
    except OSError as error:
        raise RequestError(f"{out} cannot be written ({error.strerror}): give another.") from None


def _tables(store: Store, answers: pd.DataFrame, to: str, out: Path) -> Iterator[Path]:
    tables = {
        "answers": _plain(store, answers),
        "cells": store.cells(),
        "measurements": pd.json_normalize(store.measurements()).drop(
            columns="steps", errors="ignore"
        ),
    }
    for name, table in tables.items():
        path = out / f"{name}.{to}"
        if name == "answers" or len(table.columns):
            if to == "csv":
                table.to_csv(path, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
            else:
                table.to_parquet(path, index=False)
            yield path


def _plain(store: Store, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers with the columns of the plain format (docs/recorded.md) first."""
    items, infos = store.items(), store.tasks()
    rows = []
    several = _several_seeds(answers)
    for row in _records(answers):
        item = items[row["item"]]
        doc = _doc(row, item)
        rows.append({
            **{name: row[name] for name in ("model", "role")},
            "treatment": _treatment(row, several),
            "level": row["level"],
            "task": row["task"],
            "item": item.id,
            "gold": item.gold,
            "text": row["text"] if row["outcome"] or row["text"] else None,
            **{name: doc[name] for name in ("options", "labels", "means", "choices", "parent")},
            "option_scores": _value(row["option_scores"]),
            "scored": infos[row["task"]].scored,
            "tags": doc["tags"],
            "recorded": doc["recorded"],
            "prompt": item.prompt,
            "question": item.question,
            **{name: _value(row[name]) for name in _READ},
            **{name: row[name] for name in ("seed", "status", "stopped", "tokens")},
        })  # fmt: skip
    table = pd.DataFrame(rows)
    for name in _LISTED:
        table[name] = [None if not v else json.dumps(v, ensure_ascii=False) for v in table[name]]
    return table.dropna(axis="columns", how="all")


def _lm_eval(store: Store, answers: pd.DataFrame, out: Path) -> Iterator[Path]:
    """One folder a model, treatment and level; a task with both views is two files."""
    infos, items = store.tasks(), store.items()
    ids = {model["name"]: model.get("id") or model["name"] for model in store.models()}
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")
    several = _several_seeds(answers)
    for _, cell in answers.groupby(_CELL, dropna=False, sort=False):
        first = _records(cell.iloc[:1])[0]
        who = {
            "model": first["model"],
            "id": ids.get(first["model"], first["model"]),
            "role": first["role"],
            "treatment": _treatment(first, several),
            "level": _value(first["level"]),
        }
        dose = "" if who["level"] is None else f"{who['level']:g}"
        place = out / re.sub(r"[^\w.+-]+", "-", f"{who['model']}__{who['treatment']}__{dose}")
        place.mkdir(exist_ok=True)
        results: dict[str, Any] = {"results": {}, "configs": {}, "versions": {}, "n-shot": {}}
        for task, rows in cell.groupby("task", sort=False):
            for name, lines, scores in _views(str(task), rows, items):
                path = place / f"samples_{name}_{time}.jsonl"
                path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
                yield path
                _describe(results, name, infos[str(task)], scores)
        results["config"] = {
            "model": "resect", "model_args": {"pretrained": who["id"]}, "resect": who
        }  # fmt: skip
        results["model_name"] = who["id"]
        path = place / f"results_{time}.json"
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
        yield path


def _views(
    task: str, rows: pd.DataFrame, items: Mapping[str, Item]
) -> Iterator[tuple[str, list[str], dict[str, float]]]:
    """Name, sample lines and scores of each view a task was asked in."""
    texts, options = [], []
    for number, row in enumerate(_records(rows)):
        item = items[row["item"]]
        doc = _doc(row, item)
        if row["outcome"] or row["text"]:
            texts.append(_text_sample(number, row, item, doc))
        if row["option_scores"] is not None and item.gold in item.labels:
            options.append(_option_sample(number, row, item, doc))
    if texts:
        yield task, [_line(x) for x in texts], {"exact_match": _mean(texts, "exact_match")}
    if options:
        scores = {name: _mean(options, name) for name in ("acc", "acc_norm")}
        yield f"{task}_options", [_line(x) for x in options], scores


def _text_sample(
    number: int, row: Mapping[str, Any], item: Item, doc: dict[str, Any]
) -> dict[str, Any]:
    return {
        **_head(number, item, doc, str(item.gold)),
        "arguments": {"gen_args_0": {"arg_0": item.prompt, "arg_1": {"do_sample": False}}},
        "resps": [[row["text"]]],
        "filtered_resps": [_value(row["answer"]) or "[invalid]"],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": _value(row["score"]) or 0.0,
    }


def _option_sample(
    number: int, row: Mapping[str, Any], item: Item, doc: dict[str, Any]
) -> dict[str, Any]:
    scores, gold = row["option_scores"], item.labels.index(str(item.gold))
    choices = item.choices or tuple(f" {label}" for label in item.labels)
    sizes = [len(choice.removeprefix(" ")) or 1 for choice in choices]
    pairs = enumerate(zip(choices, scores, strict=True))
    normal = [score / size for score, size in zip(scores, sizes, strict=True)]
    finite = all(map(math.isfinite, scores))  # else the model chose nothing
    best, best_normal = max(scores), max(normal)
    return {
        **_head(number, item, doc, str(gold)),
        "arguments": {
            f"gen_args_{i}": {"arg_0": item.prompt, "arg_1": choice} for i, (choice, _) in pairs
        },
        # whether greedy decoding would give the choice is not known, which lm-eval writes False
        "resps": [[[repr(score), "False"]] for score in scores],
        "filtered_resps": [[repr(score), "False"] for score in scores],
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "acc": float(finite and scores.index(best) == gold),
        "acc_norm": float(finite and normal.index(best_normal) == gold),
    }


def _head(number: int, item: Item, doc: dict[str, Any], target: str) -> dict[str, Any]:
    shown = json.dumps(doc, indent=2, ensure_ascii=False)
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "doc_hash": _hash(shown),
        "prompt_hash": _hash(item.prompt),
        "target_hash": _hash(target),
    }


def _doc(row: Mapping[str, Any], item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "question": item.question,
        "gold": item.gold,
        "labels": list(item.labels),
        "options": None if item.options is None else dict(item.options),
        "choices": list(item.choices),
        "means": dict(item.means),
        "parent": item.parent,
        "tags": dict(item.tags),
        "recorded": _value(row.get("recorded")),
        "score": _value(row["score"]),
    }


def _describe(
    results: dict[str, Any], name: str, info: TaskInfo, scores: Mapping[str, float]
) -> None:
    results["results"][name] = {"alias": name, **{f"{k},none": v for k, v in scores.items()}}
    results["configs"][name] = {
        "task": name,
        "output_type": "multiple_choice" if "acc" in scores else "generate_until",
        "target_delimiter": " ",
        "metadata": {"version": info.version, "resect": {"info": asdict(info)}},
    }
    results["versions"][name], results["n-shot"][name] = info.version, 0


def _several_seeds(answers: pd.DataFrame) -> set[str]:
    """Treatments that ran with more than one seed, whose name has to say which."""
    counts = answers.groupby("treatment")["seed"].nunique()
    return {str(name) for name, count in counts.items() if count > 1 and name != "none"}


def _treatment(row: Mapping[str, Any], several: set[str]) -> str:
    name = str(row["treatment"])
    return f"{name} seed {row['seed']}" if name in several else name


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _value(value: Any) -> Any:
    """None for what pandas writes as a missing value."""
    return None if isinstance(value, float) and value != value else value


def _mean(samples: list[dict[str, Any]], name: str) -> float:
    return float(sum(sample[name] for sample in samples)) / len(samples)


def _line(sample: Mapping[str, Any]) -> str:
    return json.dumps(sample, ensure_ascii=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
